/** The files of the dashboards, as text. */
import { aws } from './aws.ts';
import { grafanaDashboard, slugOf } from './build.ts';
import type { Dashboard } from './definition.ts';
import { objectives } from './objectives.ts';
import { overview } from './overview.ts';
import { queues } from './queues.ts';
import { store } from './store.ts';
import { task } from './task.ts';
import { workers } from './workers.ts';

export const dashboards: readonly Dashboard[] = [overview, queues, task, workers, store, aws, objectives];

/** Returns the text of each file by its path. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  return new Map(
    dashboards.map((one) => [
      `deploy/observability/grafana/dashboards/${slugOf(one)}.json`,
      `${JSON.stringify(grafanaDashboard(one), null, 2)}\n`,
    ]),
  );
}
