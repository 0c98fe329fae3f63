import { imageLabels } from '../../core/deployments/names.ts';
import { table } from '../output.ts';
import { countsOf } from './plan.ts';
import type { Deployable, Deployments, RollbackRecord, RolloutStatus } from './port.ts';
import { isGoneBack } from './prepare.ts';
import { see } from './reach.ts';
import { isSteady, rolloutUnderWay } from './target.ts';

/** A service as `holdfast deploy status` shows it. */
export interface ServiceStatus {
  readonly stage: string;
  readonly service: string;
  /** The tag that ECS wants to run. */
  readonly tag: string | undefined;
  readonly version: string | undefined;
  readonly steady: boolean;
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
  readonly failed: number;
  readonly tagParameter: string;
  /** The tag that the next deployment of the stack runs. */
  readonly parameter: string | undefined;
  readonly rolledBack: RollbackRecord | undefined;
  readonly rollout:
    | {
        readonly status: RolloutStatus;
        readonly from: string | undefined;
        readonly to: string | undefined;
        readonly reason: string | undefined;
      }
    | undefined;
  /** The tags that were deployed, the newest first. */
  readonly tags: readonly string[];
  readonly sentence: string;
}

export async function statusOf(deployments: Deployments, service: Deployable): Promise<ServiceStatus> {
  const seen = await see(deployments, service);
  const { state, parameter, record } = seen;
  const { primary, desired, running, pending, failed } = state;
  const [revisions, image] = await Promise.all([
    deployments.revisions(service, primary.family),
    primary.tag === undefined ? undefined : deployments.image(service, primary.tag),
  ]);
  const [newest] = state.rollouts;
  return {
    ...{ stage: service.stage, service: service.name, tag: primary.tag },
    version: image?.labels?.[imageLabels.version],
    ...{ steady: isSteady(state), desired, running, pending, failed },
    ...{ tagParameter: service.tagParameter, parameter },
    rolledBack: isGoneBack(seen) ? record : undefined,
    rollout:
      newest === undefined
        ? undefined
        : {
            ...{ status: newest.status, from: newest.source?.tag, to: newest.target?.tag },
            reason: newest.reason,
          },
    tags: [...new Set(revisions.flatMap(({ tag }) => tag ?? []))],
    sentence: sentenceOf(seen),
  };
}

function sentenceOf({ state, parameter, record }: Awaited<ReturnType<typeof see>>): string {
  const { primary } = state;
  const under = rolloutUnderWay(state);
  const [newest] = state.rollouts;
  const because = newest?.reason === undefined ? '' : ` (${newest.reason})`;
  if (under !== undefined)
    return `The rollout of '${under.target?.tag ?? '?'}' is ${under.status}${because}: ${countsOf(state)}.`;
  if (!isSteady(state)) return `${countsOf(state)}${state.rolloutState === 'FAILED' ? ': failed' : ''}.`;
  if (newest?.status.startsWith('ROLLBACK') && newest.target?.tag === parameter && parameter !== primary.tag)
    return `ECS has taken '${parameter}' back${because}, and the next deployment would try it again.`;
  if (parameter !== primary.tag)
    return `The next deployment of the stack changes it to '${parameter ?? '–'}'.`;
  if (record !== undefined && isGoneBack({ state, parameter, record }))
    return `It was rolled back from '${record.from}'.`;
  return 'It runs what the stack deploys.';
}

export function statusText(statuses: readonly ServiceStatus[]): string {
  const rows = statuses.map(({ service, tag, version, running, desired, parameter, sentence }) => [
    ...[service, tag ?? '–', version ?? '–', `${running}/${desired}`, parameter ?? '–', sentence],
  ]);
  const lines = statuses.map(({ service, tags }) => `tags of ${service}: ${tags.slice(0, 10).join(', ')}`);
  return [table(['SERVICE', 'TAG', 'VERSION', 'TASKS', 'NEXT', ''], rows), ...lines].join('\n');
}
