// Fails a test run in which anything was skipped or left as a todo. Vitest counts those and still exits with 0, so
// that a test which stopped running looks like one which passes. A filter (`vitest run -t name`) leaves the others out
// on purpose; the reporter stays quiet then.
import type { Reporter, TestModule, Vitest } from 'vitest/node';

export class NoSkips implements Reporter {
  #filtered = false;

  onInit(vitest: Vitest): void {
    this.#filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.#filtered) return;
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId}: ${test.fullName}`),
    );
    if (skipped.length === 0) return;
    process.exitCode = 1;
    console.error(
      `Not run, which counts as a failure here:\n${skipped.map((name) => `  ${name}`).join('\n')}`,
    );
  }
}
