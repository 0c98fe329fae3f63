import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import type { Globals } from '../globals.ts';
import { labelled } from '../output.ts';
import { collect, whole } from '../text/numbers.ts';

const defaultDir = '.holdfast/certs';

export function addCerts(program: Command, globals: Globals): void {
  const certs = program
    .command('certs')
    .description('make and look at the certificates of a development authority');
  certs
    .command('init')
    .description('make a certificate authority')
    .option('--dir <folder>', 'where it is kept', defaultDir)
    .action(async ({ dir }) => {
      const { initAuthority } = await import('../../certs/authority.ts');
      const made = await initAuthority(dir, Date.now());
      const said = made.created ? `authority made in ${dir}` : `an authority is in ${dir} already`;
      globals().output.result(made, () => `${said}\nnext: holdfast certs issue <name>`);
    });
  certs
    .command('issue')
    .argument('<name>', 'what it is for; a client’s identity is spiffe://holdfast.dev/client/<name>')
    .description('issue a certificate')
    .addOption(new Option('--kind <kind>').choices(['server', 'client'] as const).default('client' as const))
    .option('--dir <folder>', 'where the authority is kept', defaultDir)
    .option('--host <host>', 'a server’s name or address, repeatable; default: this machine', collect)
    .option('--days <n>', 'how long it is valid', whole(1, 3_650))
    .action(async (name, { kind, dir, host, days }) => {
      const { issue } = await import('../../certs/issue.ts');
      const { output } = globals();
      const isThere = existsSync(join(dir, `${name}.crt`));
      const files = await issue(dir, { name, kind, hosts: host, days }, Date.now());
      if (isThere) output.note(`replaced the certificate and the key that '${name}' had there`);
      output.result({ ...files, replaced: isThere }, () => `${files.cert}\n${files.key}`);
    });
  certs
    .command('show')
    .argument('<file>', 'a certificate in PEM')
    .description('show what a certificate says')
    .action(async (file) => {
      const { show } = await import('../../certs/show.ts');
      const shown = show(file);
      globals().output.result(shown, () =>
        Object.entries(shown)
          .map(([name, value]) => labelled(name, Array.isArray(value) ? value.join(', ') : value))
          .join('\n'),
      );
    });
}
