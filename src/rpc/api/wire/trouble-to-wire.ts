import type { MessageInitShape } from '@bufbuild/protobuf';
import { type VerdictCode as Code, verdictCodes } from '../../../core/explain/verdict.ts';
import { forTenant } from '../../../core/explain/words.ts';
import type { TroubleView } from '../../../service/service.ts';
import type { ListTroubleResponseSchema, VerdictCode } from '../../gen/holdfast/v1/task_service_pb.ts';
import { evidenceToWire, int64 } from './to-wire.ts';

const numberOf = (code: Code): VerdictCode => verdictCodes.indexOf(code) as VerdictCode;

/** `tenant` is the one that the caller has named, or empty. */
export function troubleToWire(
  view: TroubleView,
  tenant: string,
): MessageInitShape<typeof ListTroubleResponseSchema> {
  const { groups, moreGroups, examined, explained, unexplained } = view;
  return {
    groups: groups.map(({ code, queue, sentence, count, oldestIds, sinceMs, evidence, next }) => ({
      ...{ code: numberOf(code), queue, sentence, count },
      oldestIds: [...oldestIds],
      sinceMs: int64(sinceMs),
      evidence: evidenceToWire(evidence),
      nextCommand: forTenant(next, tenant),
    })),
    moreGroups,
    healthy: [...view.healthy].map(([code, count]) => ({ code: numberOf(code), count })),
    ...{ examined, explained, unexplained },
    cutQueues: view.cutQueues.map(({ queue, examinedUntilMs }) => ({
      queue,
      examinedUntilMs: int64(examinedUntilMs),
    })),
    incompleteWorkers: !view.areWorkersComplete,
    readsAreBilled: view.areReadsBilled,
    atMs: int64(view.atMs),
  };
}
