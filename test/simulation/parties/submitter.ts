import type { Client } from '../../../src/client/client.ts';
import type { SubmittedTask } from '../../../src/client/tasks/task-handle.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { Violation } from '../checks/violation.ts';
import type { Network } from '../network/network.ts';
import type { SimProcess } from '../network/process.ts';
import { rethrowUnlessTransient } from '../network/transient.ts';
import type { JobResult, PlannedSubmission } from './job.ts';
import { clientOf, processOf } from './parties.ts';
import { waitForResult } from './waiter.ts';

/** A simulated client program that submits tasks with the SDK, repeats some submissions, and waits for some results. */
export class Submitter {
  readonly process: SimProcess;
  readonly #network: Network;
  readonly #client: Client;
  readonly #acknowledged = new Set<PlannedSubmission>();

  constructor(network: Network, name: string) {
    this.#network = network;
    this.process = processOf(network, name);
    this.#client = clientOf(network, this.process);
  }

  /** Starts all submissions. Each submission is sent at its planned time, and again until it is acknowledged. */
  submitAll(submissions: readonly PlannedSubmission[]): void {
    for (const planned of submissions) this.#network.world.runInBackground(this.#submit(planned));
  }

  /** Returns the submissions that are not acknowledged yet, so that another submitter can take them over. */
  unacknowledged(submissions: readonly PlannedSubmission[]): PlannedSubmission[] {
    return submissions.filter((planned) => !this.#acknowledged.has(planned));
  }

  async #submit(planned: PlannedSubmission): Promise<void> {
    const { world } = this.#network;
    const { clock } = this.process;
    await clock.sleep(planned.atMs - world.elapsedMs);
    const task = await this.#untilAcknowledged(planned);
    this.#acknowledged.add(planned);
    if (world.chance(0.15)) world.runInBackground(waitForResult(this.#network, this.process, task, planned));
    while (world.chooseEvent('submitted again', 0.2)) {
      await clock.sleep(world.between(0, 30_000));
      if (world.chance(0.3)) await this.#submitWithAnotherPayload(planned, task.id);
      else await this.#submitOnce(planned);
    }
  }

  async #untilAcknowledged(planned: PlannedSubmission): Promise<SubmittedTask<JobResult>> {
    const { world } = this.#network;
    for (;;) {
      const task = await this.#submitOnce(planned);
      if (task !== undefined) return task;
      await this.process.clock.sleep(world.between(200, 4_000));
    }
  }

  async #submitOnce(planned: PlannedSubmission): Promise<SubmittedTask<JobResult> | undefined> {
    const { job, key, n } = planned;
    const task = await this.#client
      .submit(job, { n }, planned.options(this.process.clock.now()))
      .catch((thrown: unknown) => rethrowUnlessTransient(thrown, `${key} was refused`));
    if (task !== undefined) this.#network.world.shadow.recordAcknowledged(key, task.id);
    return task;
  }

  async #submitWithAnotherPayload(planned: PlannedSubmission, id: string): Promise<void> {
    const { job, key, n } = planned;
    const options = planned.options(this.process.clock.now());
    await this.#client.submit(job, { n: -n - 1 }, options).then(
      (task) => {
        throw new Violation('anotherPayloadIsRefused', `${key} was answered with ${task.id}`);
      },
      (thrown: unknown) => {
        const refused = thrown instanceof HoldfastError && thrown.reason === 'KEY_REUSED';
        if (!refused) rethrowUnlessTransient(thrown, `${key} with another payload`);
        else if (thrown.taskId !== id)
          throw new Violation('oneKeyOneTask', `${key} is reported as ${thrown.taskId}, not ${id}`);
      },
    );
  }
}
