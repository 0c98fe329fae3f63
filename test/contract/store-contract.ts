import { describe } from 'vitest';
import { deliveries } from './broker/deliveries.ts';
import { taskDeliveries } from './broker/task-deliveries.ts';
import { visibility } from './broker/visibility.ts';
import { accepting } from './store/accepting.ts';
import { changes } from './store/changes.ts';
import { closing } from './store/closing.ts';
import { dueEntries } from './store/due-entries.ts';
import { expiring } from './store/expiring.ts';
import { generations } from './store/generations.ts';
import { histories } from './store/histories.ts';
import { lanes } from './store/lanes.ts';
import { laws } from './store/laws.ts';
import { limitsKept } from './store/limits-kept.ts';
import { lists } from './store/lists.ts';
import { registered } from './store/registered.ts';
import { renewals } from './store/renewals.ts';
import { type Open, register, type Subject } from './subject.ts';

const subjects: Readonly<Record<string, Subject>> = {
  'accepting a submission': accepting,
  'generations of a key': generations,
  'conditional changes': changes,
  heartbeats: renewals,
  lanes,
  'due entries': dueEntries,
  lists,
  'history and result': histories,
  limits: limitsKept,
  'expired tasks': expiring,
  'which tasks have a bell': taskDeliveries,
  receiving: deliveries,
  'bells that are held': visibility,
  'the registry': registered,
  closing,
  'laws, by random sequences': laws,
};

/** What every engine promises, whatever it is made of. */
export function storeContract(name: string, open: Open): void {
  describe(name, () => {
    for (const [subject, sentences] of Object.entries(subjects)) register(subject, open, sentences);
  });
}
