// `npm run dashboards` writes the dashboards of Grafana. test/observability/dashboards.spec.ts compares them.
import { writeFileSync } from 'node:fs';
import { dashboardFiles } from './files.ts';

for (const [path, text] of dashboardFiles()) {
  writeFileSync(new URL(`../../${path}`, import.meta.url), text);
  console.log(path);
}
