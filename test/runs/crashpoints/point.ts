import type { Call, Hooks, Intervention } from '../../stand-ins/proxy/call.ts';
import type { ScenarioCommand, ScenarioReport, StoreAddress, StoreAtTime } from './child-messages.ts';
import type { CrashStandIns } from './crash-stand-ins.ts';
import type { ScenarioChild } from './scenario-child.ts';
import type { Scenario } from './scenarios.ts';

export type Service = 'dynamo' | 'sqs';
export const services: readonly Service[] = ['dynamo', 'sqs'];

/**
 * The fault that is injected at the request of a crash point. `request lost`: the request never arrives. `answer lost`:
 * the request is done but its answer never arrives. Either happens once, and the process lives on and may send the
 * request again. `dead before` and `dead after`: the process is killed (SIGKILL) before or after the request.
 */
export type PointFault = 'request lost' | 'answer lost' | 'dead before' | 'dead after';
export const pointFaults: readonly PointFault[] = [
  'request lost',
  'answer lost',
  'dead before',
  'dead after',
];

export function isKill(fault: PointFault): boolean {
  return fault === 'dead before' || fault === 'dead after';
}

/** One crash point: the nth request of a scenario to a service, and the fault that is injected there. */
export interface Point {
  readonly scenario: Scenario;
  readonly service: Service;
  readonly n: number;
  readonly fault: PointFault;
}

export interface RunResult {
  /** The operation of the request at the crash point. Undefined if the scenario did not make this request. */
  readonly hit: string | undefined;
  readonly acknowledged: readonly string[];
  readonly error: string | undefined;
}

/**
 * The operations of DynamoDB and those of SQS that a scenario calls if no fault is injected, each in the order of the
 * calls.
 */
export type Recording = Readonly<Record<Service, readonly string[]>>;

function answerMoveClock(
  standIns: CrashStandIns,
  report: ScenarioReport,
  answer: (command: ScenarioCommand) => void,
): void {
  if (report.kind === 'moveClock') answer({ kind: 'clockMoved', movedMs: standIns.moveClock(report.ms) });
}

const atTimeOf = ({ movedMs }: CrashStandIns, store: StoreAddress): StoreAtTime => ({ ...store, movedMs });

/**
 * Lets a child process run a scenario. `onSetUp` is called after the scenario's set-up, before the requests that are
 * crash points.
 */
async function runIn(
  child: ScenarioChild,
  standIns: CrashStandIns,
  scenario: Scenario,
  store: StoreAddress,
  onSetUp: () => void,
): Promise<{ acknowledged: string[]; error: string | undefined }> {
  const acknowledged: string[] = [];
  let error: string | undefined;
  await child
    .perform({ kind: 'run', scenario: scenario.name, store: atTimeOf(standIns, store) }, (report, answer) => {
      answerMoveClock(standIns, report, answer);
      if (report.kind === 'acknowledged') acknowledged.push(report.event);
      if (report.kind === 'isSetUp') {
        onSetUp();
        answer({ kind: 'start' });
      }
      if (report.kind !== 'ran') return false;
      error = report.error;
      return true;
    })
    .catch((thrown: unknown) => {
      // A child process that died was killed on purpose. If it died by itself, the caller sees that the crash point was
      // not hit.
      if (!child.dead) throw thrown;
    });
  return { acknowledged, error };
}

const proxyOf = (standIns: CrashStandIns, service: Service) =>
  service === 'dynamo' ? standIns.dynamo : standIns.sqs;

/** Runs a scenario without a fault and returns its requests, each of which is a crash point. */
export async function record(
  standIns: CrashStandIns,
  child: ScenarioChild,
  scenario: Scenario,
  store: StoreAddress,
): Promise<Recording & { readonly acknowledged: readonly string[] }> {
  for (const service of services) proxyOf(standIns, service).hook({});
  const { acknowledged, error } = await runIn(child, standIns, scenario, store, () => {
    for (const service of services) proxyOf(standIns, service).restartCount();
  });
  if (error !== undefined) throw new Error(`${scenario.name} fails without a fault: ${error}`);
  const operationsOf = (service: Service): string[] =>
    proxyOf(standIns, service).calls.map((call) => call.operation);
  return { dynamo: operationsOf('dynamo'), sqs: operationsOf('sqs'), acknowledged };
}

/** Runs the scenario of a crash point and injects the fault at its request. */
export async function runTo(
  standIns: CrashStandIns,
  child: ScenarioChild,
  point: Point,
  store: StoreAddress,
): Promise<RunResult> {
  const { scenario, service, n, fault } = point;
  let hit: string | undefined;
  async function inject(call: Call): Promise<Intervention> {
    hit = call.operation;
    if (isKill(fault)) await child.kill();
    return 'lose';
  }
  const isPoint = (at: number): boolean => at === n && hit === undefined;
  const isBefore = fault === 'request lost' || fault === 'dead before';
  const hooks: Hooks = isBefore
    ? { beforeRequest: (at, call) => (isPoint(at) ? inject(call) : undefined) }
    : { afterRequest: (at, call) => (isPoint(at) ? inject(call) : undefined) };
  const ran = await runIn(child, standIns, scenario, store, () => {
    for (const one of services) {
      proxyOf(standIns, one).restartCount();
      proxyOf(standIns, one).hook(one === service ? hooks : {});
    }
  });
  for (const one of services) proxyOf(standIns, one).hook({});
  return { hit, ...ran };
}

export interface RecoveryResult {
  readonly problems: readonly string[];
  readonly rounds: number;
}

/**
 * Lets a child process that took no part in the scenario work until all of its tasks have ended, and returns the
 * problems.
 */
export async function recoverBy(
  standIns: CrashStandIns,
  child: ScenarioChild,
  scenario: Scenario,
  store: StoreAddress,
  acknowledged: readonly string[],
): Promise<RecoveryResult> {
  let result: RecoveryResult = { problems: ['nothing was recovered'], rounds: 0 };
  const command: ScenarioCommand = {
    kind: 'recover',
    scenario: scenario.name,
    store: atTimeOf(standIns, store),
    acknowledged,
  };
  await child.perform(command, (report, answer) => {
    answerMoveClock(standIns, report, answer);
    if (report.kind !== 'recovered') return false;
    result = report;
    return true;
  });
  return result;
}
