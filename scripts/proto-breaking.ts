// Compares the wire contract with the last released one, which is committed as an image: a comparison with a branch
// would need the whole history in CI and would compare with yesterday, not with what is in use. The baseline moves
// only with a release (`npm run proto:baseline`); without one the comparison means nothing, so that is a failure.
import { existsSync } from 'node:fs';
import { must } from './run.ts';

const baseline = 'proto/baseline.binpb';
if (!existsSync(baseline)) {
  console.error(`${baseline} does not exist, so there is nothing to compare the wire contract with.`);
  console.error('Once the contract is fit to be kept, make it with `npm run proto:baseline` and commit it.');
  process.exit(1);
}
must('buf', 'breaking', '--against', baseline);
