// Fails if the wire contract breaks compatibility with the last release. The released contract is committed as a buf
// image: a comparison with a branch would need the whole Git history in CI, and would compare with the last commit
// instead of the contract in use. Only a release updates the image (`npm run proto:baseline`). A missing image is a
// failure.
import { existsSync } from 'node:fs';
import { must } from './run.ts';

const baseline = 'proto/baseline.binpb';
if (!existsSync(baseline)) {
  console.error(`${baseline} does not exist: there is no contract to compare with.`);
  console.error('Create it with `npm run proto:baseline` once the contract is final, and commit it.');
  process.exit(1);
}
must('buf', 'breaking', '--against', baseline);
