/** The results of attacks, and the line of the report that each of them gets. */
import type { Role } from './attack.ts';
import type { ProbeReport } from './process-messages.ts';
import type { Measure } from './tally.ts';

/** The time after which a probe without an answer counts as starved. */
export const starvedAfterMs = 2_000;
/** The most memory that a server may have needed. */
export const mostPeakMb = 600;

export interface AttackResult {
  readonly name: string;
  readonly role: Role;
  readonly counts: string;
  readonly measure: Measure;
  readonly reached: number;
  /** With less than this the attack did not try what it should. */
  readonly atLeast: number;
  /** The peak of the server's resident memory. */
  readonly peakMb: number;
  readonly descriptors: number;
  readonly probes: readonly ProbeReport[];
  /** True if the server ended by itself. */
  readonly hasServerEnded: boolean;
}

export function isStarving({ ms, refusal }: ProbeReport): boolean {
  return refusal !== undefined || ms > starvedAfterMs;
}

/** An attack starves others if one of their probes was refused or came too late, or if there were none. */
export function isStarved({ probes, hasServerEnded }: AttackResult): boolean {
  return hasServerEnded || probes.length === 0 || probes.some(isStarving);
}

/** An attack that reached too little shows nothing, however well the others were served. */
export function hasReached({ reached, atLeast }: AttackResult): boolean {
  return reached >= atLeast;
}

export function slowestMs(results: readonly AttackResult[]): number {
  return Math.round(results.flatMap(({ probes }) => probes).reduce((most, { ms }) => Math.max(most, ms), 0));
}

export const heading =
  'attack'.padEnd(22) +
  'as'.padEnd(10) +
  'reached'.padStart(32) +
  'peak MB'.padStart(9) +
  'descriptors'.padStart(13) +
  'slowest probe'.padStart(22) +
  '  starved';

export function lineOf(result: AttackResult): string {
  const { name, role, reached, counts, measure, peakMb, descriptors, probes } = result;
  const slowest = probes.reduce<ProbeReport | undefined>(
    (most, one) => (most === undefined || one.ms > most.ms ? one : most),
    undefined,
  );
  const starving = probes.filter(isStarving);
  const [first] = starving;
  const why = result.hasServerEnded
    ? 'yes: the server ended'
    : first === undefined
      ? probes.length === 0
        ? 'yes: no probe'
        : 'no'
      : `yes: ${starving.length} of ${probes.length}, first ${first.name} after ${Math.round(first.ms)} ms ${first.refusal ?? ''}`;
  const tooLittle = hasReached(result) ? '' : `; too little: at least ${result.atLeast.toLocaleString('en')}`;
  return (
    name.padEnd(22) +
    role.padEnd(10) +
    `${reached.toLocaleString('en')} ${counts} ${measure}`.padStart(32) +
    String(Math.round(peakMb)).padStart(9) +
    String(descriptors).padStart(13) +
    (slowest === undefined ? '-' : `${Math.round(slowest.ms)} ms ${slowest.name}`).padStart(22) +
    `  ${why}${tooLittle}`
  );
}

export function lastLineOf(results: readonly AttackResult[]): string {
  const peakMb = Math.round(Math.max(0, ...results.map((result) => result.peakMb)));
  const starved = results.filter(isStarved).length;
  return `hog: attacks=${results.length} peakMb=${peakMb} slowestProbeMs=${slowestMs(results)} starved=${starved}`;
}

export function isGood(results: readonly AttackResult[]): boolean {
  return (
    results.length > 0 &&
    results.every((one) => !isStarved(one) && hasReached(one) && one.peakMb <= mostPeakMb)
  );
}
