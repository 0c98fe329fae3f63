import type { Clock, Timekeeper } from '../../../ports/clock.ts';

/** The part of a client's middleware stack that is used here; the SDK's own types differ by client. */
interface Stack {
  add(
    middleware: (next: (args: never) => Promise<Answer>) => (args: never) => Promise<Answer>,
    options: { readonly step: 'deserialize'; readonly name: string; readonly priority: 'low' },
  ): void;
}

interface Answer {
  readonly response: unknown;
}

function toldBy({ response }: Answer): number {
  const { headers } = response as { readonly headers?: Readonly<Record<string, string>> };
  return Date.parse(headers?.date ?? '');
}

/** Tells the timekeeper what the `Date` header of each answer of this client says, refusals included. */
export function tellTime<Client extends { readonly middlewareStack: object }>(
  client: Client,
  clock: Clock,
  timekeeper: Timekeeper | undefined,
): Client {
  if (timekeeper === undefined) return client;
  (client.middlewareStack as Stack).add(
    (next) => async (args) => {
      const requestedAtMs = clock.monotonic();
      const answer = await next(args);
      const serverMs = toldBy(answer);
      if (!Number.isNaN(serverMs))
        timekeeper.addSample({ serverMs, requestedAtMs, receivedAtMs: clock.monotonic() });
      return answer;
    },
    // Next to the wire: before an answer that is a refusal becomes an error.
    { step: 'deserialize', name: 'holdfastClock', priority: 'low' },
  );
  return client;
}
