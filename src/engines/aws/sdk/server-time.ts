import type { Clock, Timekeeper } from '../../../ports/clock.ts';

/**
 * The part of an AWS SDK client's middleware stack that `reportServerTime` uses. The SDK's own types differ by client.
 */
interface MiddlewareStack {
  add(
    middleware: (next: (args: never) => Promise<SdkResponse>) => (args: never) => Promise<SdkResponse>,
    options: { readonly step: 'deserialize'; readonly name: string; readonly priority: 'low' },
  ): void;
}

interface SdkResponse {
  readonly response: unknown;
}

function serverTimeOf({ response }: SdkResponse): number {
  const { headers } = response as { readonly headers?: Readonly<Record<string, string>> };
  return Date.parse(headers?.date ?? '');
}

/** Makes an AWS SDK client pass the `Date` header of each response to the timekeeper, also of error responses. */
export function reportServerTime<Client extends { readonly middlewareStack: object }>(
  client: Client,
  clock: Clock,
  timekeeper: Timekeeper | undefined,
): Client {
  if (timekeeper === undefined) return client;
  (client.middlewareStack as MiddlewareStack).add(
    (next) => async (args) => {
      const requestedAtMs = clock.monotonic();
      const response = await next(args);
      const serverMs = serverTimeOf(response);
      if (!Number.isNaN(serverMs))
        timekeeper.addSample({ serverMs, requestedAtMs, receivedAtMs: clock.monotonic() });
      return response;
    },
    // In this step the middleware runs last before the network, so that it sees a response before the SDK turns an
    // error response into an exception.
    { step: 'deserialize', name: 'holdfastClock', priority: 'low' },
  );
  return client;
}
