import type { DynamoFaults } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type CrashStandIns, startCrashStandIns } from './crash-stand-ins.ts';
import { isKill, type Point, type PointFault, record, recoverBy, runTo, services } from './point.ts';
import { ScenarioChild } from './scenario-child.ts';
import type { Scenario } from './scenarios.ts';

/**
 * The number of tries for a crash point whose request is not made. Some requests, such as a read after a stale read,
 * are made only by chance.
 */
const runTries = 8;

/**
 * Runs crash points one after the other: one child process runs the scenario, another recovers it. If the first child
 * was killed, the second one runs the next scenario and a new child recovers that. So no child recovers a scenario that
 * it ran itself.
 */
export class PointRunner {
  readonly standIns: CrashStandIns;
  #runner = new ScenarioChild();
  #recoverer = new ScenarioChild();

  private constructor(standIns: CrashStandIns) {
    this.standIns = standIns;
  }

  static async open(seed: number, faults: DynamoFaults): Promise<PointRunner> {
    return new PointRunner(await startCrashStandIns(seed, faults));
  }

  /** Runs a scenario without a fault. Returns one crash point for each of its requests and each of the faults. */
  async record(scenario: Scenario, faults: readonly PointFault[]): Promise<Point[]> {
    const { standIns } = this;
    const store = await standIns.createStore();
    const recording = await record(standIns, this.#runner, scenario, store);
    const { problems } = await recoverBy(standIns, this.#recoverer, scenario, store, recording.acknowledged);
    if (problems.length > 0) {
      throw new Error(`${scenario.name} has problems without a fault: ${problems.join('; ')}`);
    }
    return services.flatMap((service) =>
      recording[service].flatMap((_, i) => faults.map((fault) => ({ scenario, service, n: i + 1, fault }))),
    );
  }

  /** Runs one crash point and the recovery after it. The crash point was recovered if the result has no problems. */
  async run(point: Point): Promise<{ hit: string; problems: readonly string[]; rounds: number }> {
    const { standIns } = this;
    let store = await standIns.createStore();
    let result = await runTo(standIns, this.#runner, point, store);
    for (let i = 1; i < runTries && result.hit === undefined && !this.#runner.dead; i++) {
      store = await standIns.createStore();
      result = await runTo(standIns, this.#runner, point, store);
    }
    const { hit, acknowledged, error } = result;
    if (hit === undefined) {
      return { hit: '?', problems: [`the request of the point was never made: ${error ?? ''}`], rounds: 0 };
    }
    const survived = !this.#runner.dead;
    if (survived === isKill(point.fault)) return { hit, problems: ['the wrong process died'], rounds: 0 };
    const { problems, rounds } = await recoverBy(
      standIns,
      this.#recoverer,
      point.scenario,
      store,
      acknowledged,
    );
    if (!survived) {
      this.#runner = this.#recoverer;
      this.#recoverer = new ScenarioChild();
    }
    // A process that lived on after a lost request or answer must have finished the scenario without an error.
    const failures = error === undefined ? [] : [`the scenario failed: ${error}`];
    return { hit, problems: [...failures, ...problems], rounds };
  }

  async close(): Promise<void> {
    await Promise.all([this.#runner.kill(), this.#recoverer.kill()]);
    await this.standIns.stop();
  }
}
