import type { Command } from '@commander-js/extra-typings';
import { type ListTroubleResponse, TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../connection/connect.ts';
import type { Globals } from '../globals.ts';
import { time } from '../output.ts';
import { escapeControls } from '../text/escape-controls.ts';
import { codeOf } from './why-text.ts';

/** The most groups on one screen, and the most ids of a group. */
const shownGroups = 12;
const shownIds = 3;
/** The read units on AWS for each examined task, and for each explained one in addition, with payloads of 1 KB (docs/cost.md). */
const unitsExamined = 0.53;
const unitsExplained = 2.55;

function troubleJson(answer: ListTroubleResponse): Record<string, unknown> {
  const { examined, explained, unexplained, moreGroups } = answer;
  return {
    groups: answer.groups.map((one) => ({
      verdict: codeOf(one),
      queue: one.queue || undefined,
      sentence: one.sentence,
      count: one.count,
      oldestIds: one.oldestIds,
      sinceMs: one.sinceMs || undefined,
      evidence: one.evidence,
      next: one.nextCommand || undefined,
    })),
    moreGroups,
    healthy: Object.fromEntries(answer.healthy.map((one) => [codeOf(one), one.count])),
    ...{ examined, explained, unexplained },
    isComplete: answer.cutQueues.length === 0 && unexplained === 0,
    cutQueues: answer.cutQueues.map(({ queue, examinedUntilMs }) => ({
      queue,
      examinedUntilMs: examinedUntilMs || undefined,
    })),
    areWorkersComplete: !answer.incompleteWorkers,
    areReadsBilled: answer.readsAreBilled,
    atMs: answer.atMs,
  };
}

function troubleText(answer: ListTroubleResponse): string {
  const shown = answer.groups.slice(0, shownGroups);
  const lines = shown.flatMap((one) => {
    const { sentence, oldestIds, sinceMs, nextCommand } = one;
    const ids = oldestIds.slice(0, shownIds).join(', ');
    const details = [
      sinceMs === 0n ? '' : `since ${time(sinceMs)}`,
      ids === '' ? '' : `oldest ${ids}`,
      nextCommand === '' ? '' : `next: ${nextCommand}`,
    ].filter((part) => part !== '');
    return [`${codeOf(one)}: ${escapeControls(sentence)}`, `  ${escapeControls(details.join('; '))}`];
  });
  const hidden = answer.groups.length - shown.length + answer.moreGroups;
  const more =
    hidden === 0 ? [] : [`and ${hidden} further causes, of fewer tasks: --json, or --queue <name>`];
  const none = answer.groups.length === 0 ? ['No unfinished task that was examined is in trouble.'] : [];
  return [...none, ...lines, ...more, healthyText(answer)].join('\n');
}

/** Returns the line that counts the tasks which are in no trouble, and says how many tasks were examined. */
function healthyText({ healthy, examined, explained }: ListTroubleResponse): string {
  const counts = [...healthy].sort((one, other) => other.count - one.count);
  const text = counts.map((one) => `${one.count.toLocaleString('en')} ${codeOf(one)}`).join(', ') || 'none';
  const tasks = `${examined.toLocaleString('en')} examined, ${explained.toLocaleString('en')} unfinished`;
  return `healthy: ${text} (tasks: ${tasks})`;
}

/** Returns the notes below the groups: what was not examined, and what the examination may have cost. */
function troubleNotes(answer: ListTroubleResponse): string[] {
  const { cutQueues, unexplained, incompleteWorkers, examined, explained } = answer;
  const units = Math.round(unitsExamined * examined + unitsExplained * explained);
  const notes: string[] = [];
  const [first] = cutQueues;
  if (first !== undefined) {
    const { queue, examinedUntilMs } = first;
    const many = cutQueues.length === 1 ? '' : ` and ${cutQueues.length - 1} further queues`;
    const which = examinedUntilMs === 0n ? 'none' : `those accepted at ${time(examinedUntilMs)} or later`;
    notes.push(
      `Queue '${queue}'${many}: not all tasks were examined (of '${queue}' ${which}), so that every number is a lower bound.`,
    );
    if (answer.readsAreBilled)
      notes.push(`This took about ${units.toLocaleString('en')} read units with payloads of 1 KB.`);
  }
  if (unexplained > 0)
    notes.push(`${unexplained.toLocaleString('en')} tasks of further ordering keys were not explained.`);
  if (incompleteWorkers) notes.push('There may be further workers, which are not known.');
  return notes;
}

export function addTrouble(program: Command, globals: Globals): void {
  program
    .command('trouble')
    .description('list why unfinished tasks do not go on: each cause with the number of its tasks')
    .option('--queue <name>', 'only tasks of this queue; default: all that you may read')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .addHelpText('after', '\nThe exit status is 0 whether or not there is trouble: scripts read --json.')
    .action(async ({ queue = '', tenant }) => {
      const { server, output } = globals();
      await withServer(server, async (transport) => {
        const answer = await transport.call(TaskService.method.listTrouble, { tenant, queue }, {});
        output.result(troubleJson(answer), () => troubleText(answer));
        for (const note of troubleNotes(answer)) output.note(note);
      });
    });
}
