/** Debian's promtool, which checks a text of metrics as Prometheus reads it. It is used where it is installed. */
import { spawnSync } from 'node:child_process';

export const promtool = {
  isInstalled: spawnSync('promtool', ['--version']).status === 0,
  /** Returns what promtool says of a text; empty if nothing is wrong. */
  check(text: string): string {
    const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: text });
    return status === 0 ? '' : `${stdout}${stderr}`;
  },
};
