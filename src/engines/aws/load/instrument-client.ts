import type { Clock } from '../../../ports/clock.ts';
import type { RequestObserver } from '../../../ports/metrics.ts';
import { isThrottle } from '../sdk/error-names.ts';
import { errorKindOf, reasonsIn } from '../sdk/errors.ts';
import type { Dependency, RequestResult } from './dependency.ts';

/** The part of an AWS SDK client's middleware stack that `instrument` uses. The SDK's own types differ by client. */
interface MiddlewareStack {
  add(
    middleware: (
      next: (args: { readonly input: unknown }) => Promise<{ output: unknown }>,
      context: { readonly commandName?: string },
    ) => (args: { readonly input: unknown }) => Promise<{ output: unknown }>,
    options: { readonly step: 'finalizeRequest'; readonly name: string; readonly priority: 'low' },
  ): void;
}

interface SdkError {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function resultOfError(thrown: unknown): RequestResult | undefined {
  const { name = '', $metadata } = thrown as SdkError;
  if (isThrottle(name)) return 'throttle';
  if (errorKindOf(thrown) === 'cancelled') {
    return reasonsIn(thrown).some(({ Code }) => isThrottle(Code)) ? 'throttle' : 'answer';
  }
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) return status >= 500 ? 'failure' : 'answer';
  // The error says nothing about the load of the AWS service: Holdfast aborted the request, or the SDK never sent it.
  if (name === 'AbortError' || ['denied', 'noCredentials'].includes(errorKindOf(thrown))) return undefined;
  return 'failure';
}

/** Returns the name of an error, or its code if it is one of Node's own errors, whose name is always `Error`. */
function nameOf(thrown: unknown): string | undefined {
  if (thrown === undefined) return undefined;
  const { name, code } = thrown as { readonly name?: string; readonly code?: string };
  return code === undefined || name !== 'Error' ? name : code;
}

/**
 * Returns the result of a request that AWS answered without an error. Entries of a batch may still have been
 * throttled.
 */
function resultOfOutput(output: unknown): RequestResult {
  const { Failed = [] } = output as { Failed?: readonly { readonly Code?: string }[] };
  return Failed.some(({ Code }) => isThrottle(Code)) ? 'throttle' : 'answer';
}

/** An observer of requests, if there is one, and the clock by which their times are measured. */
export interface ObservedRequests {
  readonly clock: Clock;
  readonly requests?: RequestObserver | undefined;
  /** Returns the place to which a request writes, as the breaker counts it; undefined if it goes to no place alone. */
  readonly placeOf?: ((input: unknown) => number | undefined) | undefined;
}

/**
 * Makes an AWS SDK client record each of its HTTP requests in `dependency` and with the observer, also the requests of the
 * SDK's retries.
 */
export function instrument<Client extends { readonly middlewareStack: object }>(
  client: Client,
  dependency: Dependency,
  { clock, requests, placeOf }: ObservedRequests,
): Client {
  (client.middlewareStack as MiddlewareStack).add(
    (next, { commandName = '' }) => {
      const operation = commandName.replace(/Command$/, '');
      let first = true;
      const record = (result: RequestResult | undefined, input: unknown, thrown?: unknown): void => {
        if (result === undefined) return;
        dependency.record(result, operation, { first, error: nameOf(thrown), place: placeOf?.(input) });
        if (result !== 'answer') first = false;
      };
      return async (args) => {
        const beganMs = clock.monotonic();
        const observe = (result: RequestResult | undefined): void =>
          requests?.request(operation, clock.monotonic() - beganMs, result === 'throttle');
        try {
          const answer = await next(args);
          const result = resultOfOutput(answer.output);
          record(result, args.input);
          observe(result);
          return answer;
        } catch (thrown) {
          const result = resultOfError(thrown);
          record(result, args.input, thrown);
          observe(result);
          throw thrown;
        }
      };
    },
    // The SDK runs this middleware step inside its retry loop, so once per HTTP request.
    { step: 'finalizeRequest', name: 'holdfastWatched', priority: 'low' },
  );
  return client;
}
