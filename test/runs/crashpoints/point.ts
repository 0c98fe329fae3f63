import type { Call, Hooks, Verdict } from '../../stand-ins/proxy/call.ts';
import type { Child } from './child.ts';
import type { FromChild, Now, Place, ToChild } from './child-messages.ts';
import type { Site } from './crash-stand-ins.ts';
import type { Scenario } from './scenarios.ts';

export type Service = 'dynamo' | 'sqs';
export const services: readonly Service[] = ['dynamo', 'sqs'];

/**
 * What befalls a request. `request lost`: it never arrives. `answer lost`: it is done and nobody hears of it; either
 * is once, and the process lives and may send it again. `dead before` and `dead after`: SIGKILL instead.
 */
export type Fate = 'request lost' | 'answer lost' | 'dead before' | 'dead after';
export const fates: readonly Fate[] = ['request lost', 'answer lost', 'dead before', 'dead after'];

export function isDeadly(fate: Fate): boolean {
  return fate === 'dead before' || fate === 'dead after';
}

/** One request of a scenario, by its number among those of its service, and what befalls it. */
export interface Point {
  readonly scenario: Scenario;
  readonly service: Service;
  readonly n: number;
  readonly fate: Fate;
}

export interface Played {
  /** What the request at the point was; undefined: it never came. */
  readonly hit: string | undefined;
  readonly promised: readonly string[];
  readonly error: string | undefined;
}

/** How many requests of each service a play makes, and which. */
export type Recorded = Readonly<Record<Service, readonly string[]>>;

function answerMove(site: Site, told: FromChild, answer: (to: ToChild) => void): void {
  if (told.kind === 'move') answer({ kind: 'moved', movedMs: site.move(told.ms) });
}

const nowAt = ({ movedMs }: Site, place: Place): Now => ({ ...place, movedMs });

/** Has the child play; `armed` is called when the scene is set and the play begins. */
async function perform(
  site: Site,
  child: Child,
  scenario: Scenario,
  place: Place,
  armed: () => void,
): Promise<{ promised: string[]; error: string | undefined }> {
  const promised: string[] = [];
  let error: string | undefined;
  await child
    .told({ kind: 'play', scenario: scenario.name, place: nowAt(site, place) }, (told, answer) => {
      answerMove(site, told, answer);
      if (told.kind === 'promised') promised.push(told.what);
      if (told.kind === 'armed') {
        armed();
        answer({ kind: 'go' });
      }
      if (told.kind !== 'played') return false;
      error = told.error;
      return true;
    })
    .catch((thrown: unknown) => {
      // Killed on purpose; else the caller sees that the point was not hit.
      if (!child.dead) throw thrown;
    });
  return { promised, error };
}

const proxyOf = (site: Site, service: Service) => (service === 'dynamo' ? site.dynamo : site.sqs);

/** A play that nothing befalls: its requests are the points. */
export async function record(
  site: Site,
  child: Child,
  scenario: Scenario,
  place: Place,
): Promise<Recorded & { readonly promised: readonly string[] }> {
  for (const service of services) proxyOf(site, service).hook({});
  const { promised, error } = await perform(site, child, scenario, place, () => {
    for (const service of services) proxyOf(site, service).restartCount();
  });
  if (error !== undefined) throw new Error(`${scenario.name} fails by itself: ${error}`);
  const of = (service: Service): string[] => proxyOf(site, service).calls.map((call) => call.operation);
  return { dynamo: of('dynamo'), sqs: of('sqs'), promised };
}

/** Plays up to the point, where its fate befalls the request. */
export async function playTo(site: Site, child: Child, point: Point, place: Place): Promise<Played> {
  const { scenario, service, n, fate } = point;
  let hit: string | undefined;
  async function befall(call: Call): Promise<Verdict> {
    hit = call.operation;
    if (isDeadly(fate)) await child.kill();
    return 'lose';
  }
  const isIt = (at: number): boolean => at === n && hit === undefined;
  const early = fate === 'request lost' || fate === 'dead before';
  const hooks: Hooks = early
    ? { beforeRequest: (at, call) => (isIt(at) ? befall(call) : undefined) }
    : { afterRequest: (at, call) => (isIt(at) ? befall(call) : undefined) };
  const played = await perform(site, child, scenario, place, () => {
    for (const one of services) {
      proxyOf(site, one).restartCount();
      proxyOf(site, one).hook(one === service ? hooks : {});
    }
  });
  for (const one of services) proxyOf(site, one).hook({});
  return { hit, ...played };
}

export interface Recovered {
  readonly problems: readonly string[];
  readonly rounds: number;
}

/** Has a process that knows nothing of the play bring everything to its end. */
export async function recoverBy(
  site: Site,
  child: Child,
  scenario: Scenario,
  place: Place,
  promised: readonly string[],
): Promise<Recovered> {
  let recovered: Recovered = { problems: ['nothing was recovered'], rounds: 0 };
  const to: ToChild = { kind: 'recover', scenario: scenario.name, place: nowAt(site, place), promised };
  await child.told(to, (told, answer) => {
    answerMove(site, told, answer);
    if (told.kind !== 'recovered') return false;
    recovered = told;
    return true;
  });
  return recovered;
}
