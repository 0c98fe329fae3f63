import { describe } from 'vitest';
import { deliveries } from './broker/deliveries.ts';
import { limitsAndTurns } from './broker/limits-and-turns.ts';
import { taskDeliveries } from './broker/task-deliveries.ts';
import { visibility } from './broker/visibility.ts';
import { explained } from './explained.ts';
import { accepting } from './store/accepting.ts';
import { changes } from './store/changes.ts';
import { closing } from './store/closing.ts';
import { dueEntries } from './store/due-entries.ts';
import { dueTurns } from './store/due-turns.ts';
import { eventOrder } from './store/event-order.ts';
import { expiring } from './store/expiring.ts';
import { generations } from './store/generations.ts';
import { histories } from './store/histories.ts';
import { lanes } from './store/lanes.ts';
import { leaseSecrets } from './store/lease-secrets.ts';
import { limitChecks } from './store/limits.ts';
import { lists } from './store/lists.ts';
import { queueChanges } from './store/queues.ts';
import { randomActions } from './store/random-actions.ts';
import { registryEntries } from './store/registry.ts';
import { renewals } from './store/renewals.ts';
import { type OpenEngine, register, type Subject } from './subject.ts';
import { trouble } from './trouble.ts';

const subjects: Readonly<Record<string, Subject>> = {
  'accepting a submission': accepting,
  'later tasks with the same idempotency key': generations,
  'conditional changes': changes,
  heartbeats: renewals,
  'the order of events': eventOrder,
  'secrets of leases': leaseSecrets,
  lanes,
  'due entries': dueEntries,
  'turns of due tasks': dueTurns,
  lists,
  'history and result': histories,
  limits: limitChecks,
  'expired tasks': expiring,
  'which tasks are delivered': taskDeliveries,
  receiving: deliveries,
  'limits of task types, and turns of queues': limitsAndTurns,
  'visibility timeouts': visibility,
  'the registry': registryEntries,
  'changes of queues': queueChanges,
  'the verdict on a task': explained,
  'the trouble of a queue': trouble,
  closing,
  'random sequences of actions': randomActions,
};

/** Registers tests of one engine for all requirements that every engine must meet. */
export function storeContract(name: string, open: OpenEngine): void {
  describe(name, () => {
    for (const [subjectName, subject] of Object.entries(subjects)) register(subjectName, open, subject);
  });
}
