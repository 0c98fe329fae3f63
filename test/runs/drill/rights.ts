/** The rights of an investigator's process, as flags of Node: the network, and reading what an operator has. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('../../../', import.meta.url));
/** The parts of the checkout that an investigator may read: the command, its packages, the runbooks, and its own modules. */
const readable = ['src', 'node_modules', 'docs', 'scripts', 'test', 'package.json'];

/** Returns the flags of a process that may start no program, write nothing, and read these folders beside the checkout's sources. */
export function rightsOf(folders: readonly string[]): readonly string[] {
  const paths = [...readable.map((path) => join(checkout, path)), ...folders];
  return ['--no-warnings', '--permission', '--allow-net', ...paths.map((path) => `--allow-fs-read=${path}`)];
}
