import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { identityIn, type StoreIdentity } from './identity.ts';

const headerBytes = 32;
const frameHeaderBytes = 24;
const framesPerRead = 128;
const magic = 0x377f0682;

/** A write-ahead log as its bytes show it, checked without SQLite, which passes over damage without an error. */
export interface LogScan {
  /** The two numbers in the header that a new log has at random. The first one rises by one at each restart of the log. */
  readonly salts: readonly [number, number];
  /** The number of frames (pages with a header) up to the end of the last commit that SQLite recovers. */
  readonly frames: number;
  /** True if a whole commit follows behind the last one that SQLite recovers: the frames between them are damaged. */
  readonly isDamaged: boolean;
  /** The identity of the store in the recovered commits, or undefined if they do not have its page. */
  readonly identity: StoreIdentity | undefined;
}

type Checksum = readonly [number, number];

/** Computes SQLite's checksum over whole numbers of 8 bytes, beginning with the checksum of the bytes before. */
function checksumOf(bytes: Buffer, from: number, to: number, before: Checksum, isLittle: boolean): Checksum {
  let [one, two] = before;
  for (let at = from; at < to; at += 8) {
    one = (one + (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) + two) >>> 0;
    two = (two + (isLittle ? bytes.readUInt32LE(at + 4) : bytes.readUInt32BE(at + 4)) + one) >>> 0;
  }
  return [one, two];
}

function pairAt(bytes: Buffer, at: number): Checksum {
  return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
}

function isSame(one: Checksum, other: Checksum): boolean {
  return one[0] === other[0] && one[1] === other[1];
}

interface Frame {
  readonly page: number;
  /** True if the frame is the last one of a commit. */
  readonly isCommit: boolean;
  /** True if the frame belongs to the current run of the log, and not to the time before its last restart. */
  readonly isCurrent: boolean;
  readonly checksum: Checksum;
  readonly content: Buffer;
  follows(before: Checksum): boolean;
}

interface LogHeader {
  readonly pageBytes: number;
  readonly salts: readonly [number, number];
  readonly checksum: Checksum;
  readonly isLittle: boolean;
}

function readHeader(file: number): LogHeader | undefined {
  const bytes = Buffer.alloc(headerBytes);
  if (readSync(file, bytes, 0, headerBytes, 0) < headerBytes) return undefined;
  const isLittle = bytes.readUInt32BE(0) === magic;
  if (!isLittle && bytes.readUInt32BE(0) !== magic + 1) return undefined;
  const checksum = pairAt(bytes, 24);
  if (!isSame(checksumOf(bytes, 0, 24, [0, 0], isLittle), checksum)) return undefined;
  return { pageBytes: bytes.readUInt32BE(8), salts: pairAt(bytes, 16), checksum, isLittle };
}

function* readFrames(file: number, { pageBytes, salts, isLittle }: LogHeader): Generator<Frame> {
  const frameBytes = frameHeaderBytes + pageBytes;
  const block = Buffer.alloc(frameBytes * framesPerRead);
  for (let at = headerBytes; ; at += block.length) {
    const read = readSync(file, block, 0, block.length, at);
    for (let begin = 0; begin + frameBytes <= read; begin += frameBytes) {
      const bytes = block.subarray(begin, begin + frameBytes);
      const checksum = pairAt(bytes, 16);
      yield {
        page: bytes.readUInt32BE(0),
        isCommit: bytes.readUInt32BE(4) !== 0,
        isCurrent: isSame(pairAt(bytes, 8), salts),
        checksum,
        content: bytes.subarray(frameHeaderBytes),
        follows(before) {
          const ofHeader = checksumOf(bytes, 0, 8, before, isLittle);
          const own = checksumOf(bytes, frameHeaderBytes, frameBytes, ofHeader, isLittle);
          return isSame(own, checksum);
        },
      };
    }
    if (read < block.length) return;
  }
}

/**
 * Searches the frames behind the first bad one for a whole commit that was written after the end of another commit. A
 * commit is written only after the one before it was synced. So the bad frame is not the torn end of a log whose machine
 * lost power: it belongs to a commit that was acknowledged.
 */
class LaterCommits {
  #isBehindCommit: boolean;
  #isWhole = true;
  #checksum: Checksum;
  isFound = false;

  constructor(bad: Frame) {
    this.#isBehindCommit = bad.isCurrent && bad.isCommit;
    this.#checksum = bad.checksum;
  }

  add(frame: Frame): void {
    if (!frame.isCurrent || !frame.follows(this.#checksum)) this.#isWhole = false;
    this.#checksum = frame.checksum;
    if (!frame.isCurrent || !frame.isCommit) return;
    if (this.#isBehindCommit && this.#isWhole) this.isFound = true;
    this.#isBehindCommit = true;
    this.#isWhole = true;
  }
}

function scanFrames(file: number, header: LogHeader, identityPage: number | undefined): LogScan {
  let before = header.checksum;
  let frames = 0;
  let index = 0;
  let identity: StoreIdentity | undefined;
  let uncommitted: StoreIdentity | undefined;
  let later: LaterCommits | undefined;
  for (const frame of readFrames(file, header)) {
    index++;
    if (later !== undefined) {
      later.add(frame);
      if (later.isFound) break;
    } else if (!frame.isCurrent || !frame.follows(before)) later = new LaterCommits(frame);
    else {
      before = frame.checksum;
      if (frame.page === identityPage) uncommitted = identityIn(frame.content) ?? uncommitted;
      if (!frame.isCommit) continue;
      frames = index;
      identity = uncommitted;
    }
  }
  return { salts: header.salts, frames, isDamaged: later?.isFound ?? false, identity };
}

/**
 * Scans a write-ahead log. Returns `missing`, `empty` for a log without a byte, or `damaged` for one whose header is
 * damaged, so that SQLite would ignore the whole log.
 */
export function scanLog(
  path: string,
  identityPage: number | undefined,
): LogScan | 'missing' | 'empty' | 'damaged' {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 'missing';
    throw thrown;
  }
  try {
    if (fstatSync(file).size === 0) return 'empty';
    const header = readHeader(file);
    return header === undefined ? 'damaged' : scanFrames(file, header, identityPage);
  } finally {
    closeSync(file);
  }
}
