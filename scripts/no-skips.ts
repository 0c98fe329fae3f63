// A Vitest reporter that fails a test run with skipped or todo tests. Vitest itself exits with 0 in that case, so
// that a test that no longer runs looks like one that passes. With a name filter (`vitest run -t name`) tests are
// skipped on purpose, and the reporter does nothing.
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
    console.error(`Skipped tests count as failures:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
  }
}
