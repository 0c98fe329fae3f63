import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../../core/errors.ts';
import type { HandledTypeMessage, Settlement } from '../../core/messages.ts';
import type { ShownState } from '../../core/task/head.ts';
import { stateNumbers } from '../../core/wire-numbers.ts';
import { itemError } from '../../service/rejections.ts';
import type { ItemErrorSchema } from '../gen/holdfast/v1/task_service_pb.ts';
import type { HandledType, WorkerService } from '../gen/holdfast/v1/worker_service_pb.ts';
import type { CallContext } from './api.ts';
import type { ApiDeps } from './api-deps.ts';
import { ensureInTime } from './deadline.ts';
import type { MethodHandlers } from './method-handlers.ts';
import { reporterOf, requireQueue, requireVerb } from './permission/access.ts';
import { admit } from './permission/guard.ts';
import { ensureCount, heartbeatEach, settleEach } from './reporting.ts';
import { refuseWhileDraining } from './streams/server-channel.ts';
import * as requests from './validation/requests.ts';
import { settlement } from './validation/tables.ts';
import { ensure } from './validation/validate.ts';
import { failOutcomes } from './wire/enums.ts';
import { errorOf, heartbeatFromWire, number, successFromWire } from './wire/from-wire.ts';
import { assignmentToWire, errorToWire, heartbeatAnswerToWire } from './wire/to-wire.ts';

/** Returns the handlers of the worker's unary calls, for simple clients that open no streams. */
export function workerHandlers(deps: ApiDeps): MethodHandlers<typeof WorkerService> {
  const { service, clock } = deps;

  async function settleOne(item: Settlement, tenant: string, context: CallContext): Promise<ShownState> {
    ensure(settlement, item, clock.now());
    requireVerb(context.identity, 'work');
    const from = reporterOf(context.identity, tenant);
    ensureInTime(clock, context);
    // A single call has its trace context in its headers, as instrumentations of gRPC and HTTP send it.
    const traced = { ...item, traceparent: context.traceparent || undefined };
    const settle = () => settleEach(deps, [traced], { ...from, sessionId: undefined });
    const { results } = await deps.reportTurns.run(context.identity, 1, settle, context.signal);
    const [result] = results;
    if (result === undefined) throw new RangeError('a settlement has no result');
    if (result.error !== undefined) throw errorOf(result.error);
    return result.state;
  }

  return {
    async claimTasks(request, context) {
      const tenant = admit(deps, requests.claimTasks, 'work', request, context);
      for (const queue of request.queues) requireQueue(context.identity, queue);
      refuseWhileDraining(deps);
      const { workerName, workerId, queues, requestId } = request;
      const lost: MessageInitShape<typeof ItemErrorSchema>[] = [];
      const drained = new AbortController();
      const claim = () => {
        const unsubscribe = deps.onDrain(() => drained.abort());
        const claiming = service.claim({
          tenant,
          workerName,
          workerId,
          queues,
          types: request.types.map(handledTypeOf),
          maxTasks: request.maxTasks || 1,
          waitMs: Number(request.waitMs),
          requestId,
          caller: context.identity.name,
          signal: context.signal,
          stopWaiting: drained.signal,
          onRaceLost: (error) => void lost.push(errorToWire(itemError(error))),
        });
        return claiming.finally(unsubscribe);
      };
      const tasks = await (request.waitMs === 0n
        ? claim()
        : deps.waitingClaims.during(context.identity, claim));
      return { tasks: tasks.map(assignmentToWire), lost };
    },
    async heartbeat(request, context) {
      ensureCount(request.items, clock.now());
      requireVerb(context.identity, 'work');
      const from = reporterOf(context.identity, request.tenant);
      ensureInTime(clock, context);
      const items = request.items.map(heartbeatFromWire);
      const renew = () => heartbeatEach(deps, items, from);
      const answers = await deps.reportTurns.run(context.identity, items.length, renew, context.signal);
      return { answers: answers.map(heartbeatAnswerToWire) };
    },
    async succeedTask({ lease, result, tenant }, context) {
      const state = await settleOne(successFromWire(lease, result), tenant, context);
      return { state: stateNumbers[state] };
    },
    async failTask(request, context) {
      const { lease, reason, message, errorType, tenant } = request;
      const outcome = failOutcomes[reason];
      if (outcome === undefined) throw invalid([{ field: 'reason', description: unknown(reason) }]);
      const item = {
        lease,
        outcome,
        result: undefined,
        message,
        errorType,
        afterMs: number(request.afterMs),
        begun: request.begun,
      };
      return { state: stateNumbers[await settleOne(item, tenant, context)] };
    },
  };
}

function handledTypeOf({ type, maxVersion, tasks }: HandledType): HandledTypeMessage {
  return { type, maxVersion: maxVersion || 1, tasks: tasks || undefined };
}

function unknown(reason: number): string {
  return reason === 0 ? 'is missing' : `is ${reason}; unknown to this version`;
}
