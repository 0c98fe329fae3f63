// Replaces dist/client/grpc/library/grpc-js.js by a copy of the parts of grpc-js that the client uses, as one ES module.
// A bundler that meets grpc-js itself takes all of it, since it is CommonJS: its server, and protobufjs, which only its
// channelz and ORCA services load. A bundle in ESM by esbuild would not even start, since it has no `require`.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as commonjsModule from '@rollup/plugin-commonjs';
import * as jsonModule from '@rollup/plugin-json';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { type OutputChunk, type Plugin, rollup } from 'rollup';

const folder = 'dist/client/grpc/library';
const file = join(folder, 'grpc-js.js');

/** These two packages declare the types of CommonJS, and Node loads their ES modules. */
const commonjs = commonjsModule.default as unknown as () => Plugin;
const json = jsonModule.default as unknown as () => Plugin;

/** The modules of grpc-js that the client never calls, and the package that only they load. */
const leftOut = new Set(['./server', './server-interceptors', './server-credentials']);
const empty = '\0left-out';

const leaveOut: Plugin = {
  name: 'leave-out',
  resolveId: (source, importer) =>
    source === '@grpc/proto-loader' || (importer?.includes('/@grpc/grpc-js/') === true && leftOut.has(source))
      ? empty
      : null,
  load: (id) => (id === empty ? 'export {};' : null),
};

/** Writes the copy, and beside it the licences of the packages that it holds. */
export async function packGrpc(): Promise<void> {
  const bundle = await rollup({
    input: file,
    plugins: [leaveOut, nodeResolve({ preferBuiltins: true }), commonjs(), json()],
    onwarn(warning) {
      if (warning.code !== 'CIRCULAR_DEPENDENCY') throw new Error(`rollup: ${warning.message}`);
    },
  });
  const { output } = await bundle.generate({ format: 'es', inlineDynamicImports: true });
  await bundle.close();
  const [chunk] = output;
  rmSync(`${file}.map`, { force: true });
  writeFileSync(file, chunk.code);
  writeFileSync(join(folder, 'grpc-js.licences.txt'), licencesOf(chunk));
}

function licencesOf(chunk: OutputChunk): string {
  const roots = chunk.moduleIds.flatMap(
    (id) => /[^\0]*\/node_modules\/(?:@[^/]+\/)?[^/?]+/.exec(id)?.[0] ?? [],
  );
  const texts = [...new Set(roots)].sort().map((root) => {
    const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${readFileSync(join(root, 'LICENSE'), 'utf8').trim()}\n`;
  });
  if (texts.length === 0) throw new Error(`${file} holds no package: nothing was copied.`);
  return texts.join(`\n${'-'.repeat(72)}\n\n`);
}
