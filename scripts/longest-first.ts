// The order of the spec files of a run: those that take longest first, then the others as Vitest sorts them. A fresh clone has
// no times of an earlier run, and without them Vitest begins with the largest files. A long file that begins last would
// keep one worker busy while the others have nothing to do. A file that is missing here is only later in the run.
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take more than ten seconds. Most of them wait for leases, and use little of a core meanwhile. */
const longest = [
  'test/cli/poison.spec.ts',
  'test/cli/poison-dev.spec.ts',
  'test/bad-input/lost-log.spec.ts',
  'test/contract/aws-faults.spec.ts',
  'test/aws/demo.spec.ts',
  'test/cli/what-happens/real-leases.spec.ts',
  'test/bad-input/handlers.spec.ts',
  'test/cli/what-happens/cuts.spec.ts',
  'test/cli/dev-ends.spec.ts',
  'test/cli/alone.spec.ts',
  'test/bad-input/moved-store.spec.ts',
  'test/cli/worker-ends.spec.ts',
  'test/sqs/fauxqs.spec.ts',
  'test/cli/dev.spec.ts',
  'test/aws/dead-letters/drain.spec.ts',
  'test/aws/silent-table.spec.ts',
  'test/bad-input/start-on-full-disk.spec.ts',
  'test/cli/server-restart.spec.ts',
  'test/contract/aws.spec.ts',
  'test/aws/overloaded/overloaded.spec.ts',
  'test/aws/retries.spec.ts',
  'test/search/search.spec.ts',
  'test/aws/server-stop.spec.ts',
  'src/client/grpc/connecting.spec.ts',
  'test/client/rebalance.spec.ts',
  'test/bad-input/store.spec.ts',
  'test/bad-input/clocks.spec.ts',
  'src/rpc/server/slow-clients.spec.ts',
  'test/cli/aws-documented.spec.ts',
  'test/runs/lanes/lanes.spec.ts',
  'test/cli/serving.spec.ts',
  'test/aws/buffered-elsewhere.spec.ts',
  'test/aws/serving.spec.ts',
  'test/bad-input/certificates.spec.ts',
  'src/rpc/server/admission/admission.spec.ts',
  'test/contract/sqlite.spec.ts',
  'test/bad-input/full-disk.spec.ts',
  'test/cli/canary.spec.ts',
  'test/aws/type-limits.spec.ts',
  'test/cli/aws.spec.ts',
  'test/fixtures/program-options.spec.ts',
  'test/cli/serving-documented.spec.ts',
  'test/aws/shards/growth.spec.ts',
  'test/cli/dlq.spec.ts',
  'src/rpc/auth/connections.spec.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = longest.filter((file) => !existsSync(file));
    if (missing.length > 0)
      throw new Error(`scripts/longest-first.ts names files that do not exist: ${missing}`);
    const rank = new Map(longest.map((file, index) => [file, index]));
    const rankOf = ({ moduleId }: TestSpecification) =>
      rank.get(relative(this.ctx.config.root, moduleId)) ?? longest.length;
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}
