import type { Clock } from '../../ports/clock.ts';
import type { BackendSettings } from '../backends/settings.ts';
import { type Check, check } from './checks.ts';
import type { Difference } from './differences.ts';
import type { Deployable, Deployments } from './port.ts';
import type { Prepared } from './prepare.ts';
import { reach } from './reach.ts';

export interface MoveOptions {
  readonly deployments: Deployments;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly prometheus: BackendSettings | undefined;
  readonly dryRun: boolean;
  readonly note: (line: string) => void;
  /** The command that goes on after an interruption. */
  readonly again: string;
  /** The options of this run that name the stage and the region, for the commands that it prints; each after a space. */
  readonly where: string;
}

/** The result of a rollback, or of the way forward after it. */
export interface Moved {
  readonly stage: string;
  readonly service: string;
  readonly from: string | undefined;
  readonly to: string;
  readonly dryRun: boolean;
  readonly differences: readonly Difference[];
  readonly tagParameter: string;
  /** The tag in the parameter at the end. Another run or a release may have written it meanwhile. */
  readonly parameter: string | undefined;
  readonly checks: readonly Check[];
  /** The command that leads back to the other tag. */
  readonly next: string | undefined;
  /** Other services that take their tag from the same parameter and run another one. */
  readonly others: readonly { readonly service: string; readonly tag: string | undefined }[];
}

/** Rolls a service back, or forward: prints what differs, goes there, and looks how it runs. */
export async function move(prepared: Prepared, options: MoveOptions): Promise<Moved> {
  const { service, goal, now, why, differences, fit } = prepared;
  const { deployments, note, dryRun, prometheus, where } = options;
  note(`${service.name} of ${service.stage}: '${now ?? '–'}' → '${goal.to}' (${why})`);
  for (const { setting, before, after } of differences) note(`  ${setting}: ${before} → ${after}`);
  note(`  ${fit.sentence}`);
  const isForward = goal.record?.direction === 'forward';
  const common = {
    ...{ stage: service.stage, service: service.name, from: now, to: goal.to, dryRun, differences },
    tagParameter: service.tagParameter,
    next: isForward
      ? `holdfast deploy rollback ${service.name} --to ${goal.record?.to}${where}`
      : goal.record && `holdfast deploy forward ${service.name}${where}`,
  };
  if (dryRun) return { ...common, parameter: await deployments.tag(service), checks: [], others: [] };
  await reach(service, goal, options);
  if (isForward) await deployments.deleteRecord(service);
  const [checks, parameter, others] = await Promise.all([
    check(deployments, service, prometheus),
    deployments.tag(service),
    othersOf(deployments, service, goal.to),
  ]);
  return { ...common, parameter, checks, others };
}

async function othersOf(
  deployments: Deployments,
  { stage, name, tagParameter }: Deployable,
  to: string,
): Promise<Moved['others']> {
  const sharing = (await deployments.services(stage)).filter(
    (one) => one.name !== name && one.tagParameter === tagParameter,
  );
  const tags = await Promise.all(
    sharing.map(async (one) => ({
      service: one.name,
      tag: await deployments.state(one).then(
        ({ primary }) => primary.tag,
        () => undefined,
      ),
    })),
  );
  return tags.filter(({ tag }) => tag !== to);
}

const mark = (ok: boolean | undefined): string => (ok === undefined ? '?' : ok ? '✓' : '✗');

export function movedText(moved: Moved): string {
  const { stage, service, to, tagParameter, parameter, checks, next, others, dryRun } = moved;
  if (dryRun) return `Nothing was changed (--dry-run): ${service} of ${stage} would run '${to}'.`;
  const lines = [`${service} of ${stage} runs '${to}'.`];
  lines.push(
    parameter === to
      ? `${tagParameter} says so, and the next deployment of the stack keeps it.`
      : `${tagParameter} was changed meanwhile: the next deployment of the stack runs '${parameter ?? '–'}'.`,
  );
  for (const { name, ok, sentence } of checks) lines.push(`${mark(ok)} ${name}: ${sentence}`);
  for (const { service: other, tag } of others)
    lines.push(
      `${other} takes its tag from the same parameter and runs '${tag ?? '–'}': the next deployment of the stack changes it to '${to}'.`,
    );
  if (next !== undefined) lines.push(`The way back: ${next}`);
  return lines.join('\n');
}
