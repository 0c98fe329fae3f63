// Bundles the programs of docs/bundling.md, which use the packed package, in every way that the page names, and starts each
// bundle against a real server.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Build, buildsOf, webpackBuilds } from './build.ts';
import { readPage } from './page.ts';
import { makeProject } from './project.ts';
import { startBundle, startServer } from './start.ts';

const programs = ['submit', 'work', 'embedded', 'handler'];
/** The most bytes of a minified bundle of `holdfast/client`, of which docs/bundling.md tells. */
const mostBytes = 500_000;
const sized = { way: 'esbuild-esm', programs: ['submit', 'handler'] };
const mostAtOnce = 2;

/** Checks the bundles and prints a line for each way; the last line counts them. Returns true if all were built and started. */
export async function checkBundles(archive: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundles-'));
  const { files, commands } = readPage('docs/bundling.md');
  makeProject(folder, archive, files);
  const server = await startServer(folder);
  try {
    const builds = [...buildsOf(folder, commands, programs), ...webpackBuilds(folder, programs)];
    const tally = { built: 0, started: 0 };
    const waiting = [...builds];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        await check(next, server.url, tally);
    };
    await Promise.all(Array.from({ length: mostAtOnce }, work));
    const fits = builds.every(sizeFits);
    if (fits) await printColdStart(builds, server.url);
    console.log(`bundles: built=${tally.built} started=${tally.started}`);
    return fits && tally.started === builds.length;
  } finally {
    server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function check(build: Build, url: string, tally: { built: number; started: number }): Promise<void> {
  const { program, way, output } = build;
  try {
    const beganMs = performance.now();
    await build.build();
    const builtMs = performance.now() - beganMs;
    tally.built++;
    const startedMs = await startBundle(program, output, way, url);
    tally.started++;
    console.log(`${`${way}/${program}`.padEnd(26)} built in ${ms(builtMs)}, ran for ${ms(startedMs)}`);
  } catch (thrown) {
    console.error(`${way}/${program} failed: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
}

function ms(value: number): string {
  return `${Math.round(value)} ms`.padStart(8);
}

function sizeFits({ program, way, output }: Build): boolean {
  if (way !== sized.way || !sized.programs.includes(program)) return true;
  const code = readFileSync(output);
  console.log(`${way}/${program}: ${code.length} bytes, ${gzipSync(code).length} by gzip`);
  if (code.length <= mostBytes) return true;
  console.error(`${way}/${program} has more than ${mostBytes} bytes.`);
  return false;
}

/** Prints the median time of five new processes from their start to the end of two invocations. Nothing judges it. */
async function printColdStart(builds: readonly Build[], url: string): Promise<void> {
  const handler = builds.find(({ program, way }) => program === 'handler' && way === sized.way);
  if (handler === undefined) return;
  const times: number[] = [];
  for (let i = 0; i < 5; i++) times.push(await coldStartMs(handler, url, i));
  console.log(
    `cold start of ${handler.way}/handler: median ${ms(times.sort((a, b) => a - b)[2] ?? 0).trim()}`,
  );
}

/** A process with an event of its own, so that the first invocation is accepted and the second one answered by its key. */
function coldStartMs({ program, output, way }: Build, url: string, i: number): Promise<number> {
  return startBundle(program, output, `${way}-${i}`, url);
}
