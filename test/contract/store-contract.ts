import { describe } from 'vitest';
import { accepting } from './accepting.ts';
import { bellsHeard } from './bells-heard.ts';
import { bellsHeld } from './bells-held.ts';
import { bellsOfTasks } from './bells-of-tasks.ts';
import { changes } from './changes.ts';
import { closing } from './closing.ts';
import { dueEntries } from './due-entries.ts';
import { expiring } from './expiring.ts';
import { generations } from './generations.ts';
import { histories } from './histories.ts';
import { lanes } from './lanes.ts';
import { laws } from './laws.ts';
import { limitsKept } from './limits-kept.ts';
import { lists } from './lists.ts';
import { registered } from './registered.ts';
import { renewals } from './renewals.ts';
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
  'which tasks have a bell': bellsOfTasks,
  'hearing bells': bellsHeard,
  'bells that are held': bellsHeld,
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
