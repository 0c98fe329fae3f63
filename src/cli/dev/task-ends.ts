/** Prints a line for each task that ends at the server of `holdfast dev`. */
import { styleText } from 'node:util';
import type { TaskEvent } from '../../core/task/event.ts';
import type { NodeMetrics } from '../../ports/metrics.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { escapeControls } from '../text/escape-controls.ts';

/** The longest part of an error that a line shows, in characters. */
const shownChars = 200;

function firstLine(text: string): string {
  return escapeControls(text.split('\n')[0]?.slice(0, shownChars) ?? '');
}

/** Returns the line about a task that the event has ended, with the next command for a failure; undefined for other events. */
export function endLine({ id, submission }: Snapshot, event: TaskEvent): string | undefined {
  const task = `${submission.type} ${id}`;
  const color = (name: 'green' | 'red' | 'yellow', text: string): string =>
    styleText(name, text, { stream: process.stderr });
  if (event.kind === 'succeeded') {
    return `${color('green', 'succeeded')}  ${task}  ${event.atMs - submission.acceptedAtMs} ms after its submission`;
  }
  if (event.kind === 'died') {
    const why = event.message === '' ? event.reason : `${event.reason}: ${firstLine(event.message)}`;
    return `${color('red', 'dead')}       ${task}  ${why}  next: npx holdfast why ${id}`;
  }
  if (event.kind === 'cancelled') {
    return `${color('yellow', 'cancelled')}  ${task}  ${firstLine(event.message)}`.trimEnd();
  }
  return undefined;
}

/** Returns counters that also print a line for each task that ends. `counters` are those of the metrics, if there are any. */
export function printingEnds(counters: NodeMetrics | undefined, print: (line: string) => void): NodeMetrics {
  return {
    changed(before, events, begun) {
      counters?.changed(before, events, begun);
      for (const event of events) {
        const line = endLine(before, event);
        if (line !== undefined) print(line);
      }
    },
    submitted: (...counted) => counters?.submitted(...counted),
    submissionsRefused: (...counted) => counters?.submissionsRefused(...counted),
    claimLost: (...counted) => counters?.claimLost(...counted),
    settlementRefused: (...counted) => counters?.settlementRefused(...counted),
    heartbeat: (...counted) => counters?.heartbeat(...counted),
    sweepDispatched: (...counted) => counters?.sweepDispatched(...counted),
    repaired: (...counted) => counters?.repaired(...counted),
    called: (...counted) => counters?.called(...counted),
    addSource: (source) => counters?.addSource(source),
  };
}
