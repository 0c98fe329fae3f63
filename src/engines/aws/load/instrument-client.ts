import { isThrottle } from '../sdk/error-names.ts';
import { failureOf, reasonsIn } from '../sdk/errors.ts';
import type { Dependency, Met } from './dependency.ts';

/** The part of a client's middleware stack that is used here; the SDK's own types differ by client. */
interface Stack {
  add(
    middleware: (
      next: (args: never) => Promise<{ output: unknown }>,
      context: { readonly commandName?: string },
    ) => (args: never) => Promise<{ output: unknown }>,
    options: { readonly step: 'finalizeRequest'; readonly name: string; readonly priority: 'low' },
  ): void;
}

interface Thrown {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function metBy(thrown: unknown): Met | undefined {
  const { name = '', $metadata } = thrown as Thrown;
  if (isThrottle(name)) return 'throttle';
  if (failureOf(thrown) === 'cancelled') {
    return reasonsIn(thrown).some(({ Code }) => isThrottle(Code)) ? 'throttle' : 'answer';
  }
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) return status >= 500 ? 'failure' : 'answer';
  // Called off by us, or never sent.
  if (name === 'AbortError' || ['denied', 'noCredentials'].includes(failureOf(thrown))) return undefined;
  return 'failure';
}

/** Of Node's own errors only the code says what happened. */
function nameOf(thrown: unknown): string | undefined {
  if (thrown === undefined) return undefined;
  const { name, code } = thrown as { readonly name?: string; readonly code?: string };
  return code === undefined || name !== 'Error' ? name : code;
}

/** Of a batch that was answered: parts of it may have been throttled. */
function metIn(output: unknown): Met {
  const { Failed = [] } = output as { Failed?: readonly { readonly Code?: string }[] };
  return Failed.some(({ Code }) => isThrottle(Code)) ? 'throttle' : 'answer';
}

/** Tells the dependency of every request of this client, those that the SDK's retries send included. */
export function instrument<Client extends { readonly middlewareStack: object }>(
  client: Client,
  dependency: Dependency,
): Client {
  (client.middlewareStack as Stack).add(
    (next, { commandName = '' }) => {
      const operation = commandName.replace(/Command$/, '');
      let first = true;
      const tell = (met: Met | undefined, thrown?: unknown): void => {
        if (met === undefined) return;
        dependency.record(met, operation, first, nameOf(thrown));
        if (met !== 'answer') first = false;
      };
      return async (args) => {
        try {
          const answer = await next(args);
          tell(metIn(answer.output));
          return answer;
        } catch (thrown) {
          tell(metBy(thrown), thrown);
          throw thrown;
        }
      };
    },
    // After the retries, so around each request.
    { step: 'finalizeRequest', name: 'holdfastWatched', priority: 'low' },
  );
  return client;
}
