import { isSampled } from '../../../core/submission/traceparent.ts';
import type { Attributes } from '../../../ports/trace-names.ts';
import type { Tracing } from '../../../ports/tracing.ts';

/** The part of an AWS SDK client's middleware stack that `traceRequests` uses. The SDK's own types differ by client. */
interface MiddlewareStack {
  add(
    middleware: (
      next: (args: never) => Promise<object>,
      context: { readonly clientName?: string; readonly commandName?: string },
    ) => (args: never) => Promise<object>,
    options: { readonly step: 'initialize'; readonly name: string; readonly priority: 'low' },
  ): void;
}

/**
 * Makes an AWS SDK client record a span for each of its calls, the SDK's repeats included, that is made within the span of a
 * sampled trace. A call that serves several tasks belongs to the trace of the first.
 */
export function traceRequests<Client extends { readonly middlewareStack: object }>(
  client: Client,
  tracing: Tracing,
): Client {
  (client.middlewareStack as MiddlewareStack).add(
    (next, { clientName = '', commandName = '' }) => {
      const service = clientName.replace(/Client$/, '');
      const operation = commandName.replace(/Command$/, '');
      const name = `${service}.${operation}`;
      const attributes: Attributes = {
        'rpc.system.name': 'aws-api',
        'rpc.method': `${service}/${operation}`,
      };
      return async (args) => {
        if (!tracing.isOn || !isSampled(tracing.active())) return next(args);
        const span = tracing.start({ name, kind: 'client', parent: 'active', attributes });
        try {
          const answer = await next(args);
          span.end();
          return answer;
        } catch (thrown) {
          const { name: type = 'Error', message } = thrown as Partial<Error>;
          span.end({ type, message });
          throw thrown;
        }
      };
    },
    // In this step the middleware runs outside the SDK's retry loop, so once for a call.
    { step: 'initialize', name: 'holdfastTraced', priority: 'low' },
  );
  return client;
}
