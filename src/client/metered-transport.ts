import type { DescMethod } from '@bufbuild/protobuf';
import { asHoldfastError, type HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { WorkerMetrics } from '../ports/metrics.ts';
import { TaskService } from '../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { Transport } from './transport.ts';

/** Returns a transport that counts the unary calls of another one, each try by itself. Its streams are unchanged. */
export function meteredTransport(transport: Transport, metrics: WorkerMetrics, clock: Clock): Transport {
  async function measured<R>(
    work: () => Promise<R>,
    record: (error: HoldfastError | undefined, ms: number) => void,
  ): Promise<R> {
    const beganMs = clock.monotonic();
    try {
      const answer = await work();
      record(undefined, clock.monotonic() - beganMs);
      return answer;
    } catch (thrown) {
      record(asHoldfastError(thrown), clock.monotonic() - beganMs);
      throw thrown;
    }
  }
  return {
    submit: (batch, options) =>
      measured(
        () => transport.submit(batch, options),
        (error, ms) => {
          metrics.sent(batch.queue, batch.items.length, error?.reason, ms);
          metrics.called(nameOf(TaskService.method.submitTasks), error?.code ?? 'OK', error?.reason, ms);
        },
      ),
    call: (method, request, options) =>
      measured(
        () => transport.call(method, request, options),
        (error, ms) => metrics.called(nameOf(method), error?.code ?? 'OK', error?.reason, ms),
      ),
    watch: (request, options) => transport.watch(request, options),
    work: (events) => transport.work(events),
    report: (events) => transport.report(events),
    close: () => transport.close(),
  };
}

/** Returns the name of a method as gRPC writes it. */
function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}
