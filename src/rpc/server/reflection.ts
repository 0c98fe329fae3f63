/**
 * grpc.reflection: the services and their descriptors, for generic clients. v1 and v1alpha have the same messages,
 * few enough to be read and written here; the descriptors come from the generated code.
 */
import { Transform, type Writable } from 'node:stream';
import { create, createFileRegistry, type DescFile, type FileRegistry, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { handleBidiStreamingCall, Server } from '@grpc/grpc-js';
import { Reader } from '../../core/codec/reader.ts';
import { Writer } from '../../core/codec/writer.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { asBuffer, type Parsed, parser } from './parse.ts';
import { statusOf } from './status.ts';

type Asked =
  | { readonly kind: 'file' | 'symbol' | 'numbers'; readonly name: string }
  | { readonly kind: 'extension' }
  | { readonly kind: 'services' }
  | { readonly kind: 'unknown' };

interface Request {
  /** Echoed. */
  readonly bytes: Uint8Array;
  readonly asked: Asked;
}

const notFound = 5;
const unimplemented = 12;
const kinds = { 3: 'file', 4: 'symbol', 6: 'numbers' } as const;

function readRequest(bytes: Uint8Array): Request {
  const reader = new Reader(bytes);
  let asked: Asked = { kind: 'unknown' };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 3 || field === 4 || field === 6) asked = { kind: kinds[field], name: reader.string() };
    else if (field === 7) {
      reader.string();
      asked = { kind: 'services' };
    } else {
      if (field === 5) asked = { kind: 'extension' };
      reader.skip();
    }
  }
  return { bytes, asked };
}

/** The answers to what a client may ask, from a set of files and all that they import. */
export class Reflected {
  readonly #registry: FileRegistry;
  readonly #services: readonly string[];
  readonly #writer = new Writer();

  constructor(files: readonly DescFile[]) {
    const all = new Map<string, DescFile>();
    const add = (file: DescFile): void => {
      if (all.has(file.proto.name)) return;
      for (const imported of file.dependencies) add(imported);
      all.set(file.proto.name, file);
    };
    files.forEach(add);
    const file = [...all.values()].map((one) => one.proto);
    this.#registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    this.#services = files.flatMap((one) => one.services.map(({ typeName }) => typeName)).sort();
  }

  answer({ bytes, asked }: Request): Buffer {
    const writer = this.#writer.reset().message(2, bytes);
    if (asked.kind === 'services') {
      writer.nested(6, (list) => {
        for (const name of this.#services) list.nested(1, (service) => service.string(1, name));
      });
    } else if (asked.kind === 'numbers' && this.#registry.getMessage(asked.name) !== undefined) {
      writer.nested(5, (answer) => answer.string(1, asked.name));
    } else {
      const found = this.#find(asked);
      if (found === undefined) this.#missing(writer, asked);
      else writer.nested(4, (answer) => writeFiles(answer, found));
    }
    return asBuffer(writer.finish());
  }

  #find(asked: Asked): DescFile | undefined {
    if (asked.kind === 'file') return this.#registry.getFile(`${asked.name.replace(/\.proto$/, '')}.proto`);
    if (asked.kind !== 'symbol') return undefined;
    const { name } = asked;
    const type = this.#registry.get(name);
    if (type !== undefined) return type.file;
    // A method, a field or a value of an enum: the symbol is its parent's.
    return this.#registry.get(name.slice(0, Math.max(0, name.lastIndexOf('.'))))?.file;
  }

  #missing(writer: Writer, asked: Asked): void {
    const known = asked.kind !== 'unknown' && asked.kind !== 'extension';
    const what = 'name' in asked ? `Nothing here is named '${asked.name}'.` : 'There are no extensions here.';
    writer.nested(7, (answer) => answer.number(1, known ? notFound : unimplemented).string(2, what));
  }
}

/** The file and its imports, so that the client need not come again. */
function writeFiles(writer: Writer, file: DescFile): void {
  const done = new Set<string>();
  const write = (one: DescFile): void => {
    if (done.has(one.proto.name)) return;
    done.add(one.proto.name);
    writer.message(1, toBinary(FileDescriptorProtoSchema, one.proto));
    one.dependencies.forEach(write);
  };
  write(file);
}

/** Whoever asks needs no identity: the schema is public, and a client without one is told so by the call it makes. */
export function addReflection(server: Server, files: readonly DescFile[]): void {
  const reflected = new Reflected(files);
  const handler: handleBidiStreamingCall<Parsed<Request>, Buffer> = (call) => {
    const fail = (error: Error): void => void call.emit('error', statusOf(asHoldfastError(error)));
    const answers = new Transform({
      objectMode: true,
      transform(request: Parsed<Request>, _encoding, done) {
        if (request instanceof HoldfastError) done(request);
        else done(null, reflected.answer(request));
      },
    });
    answers.on('error', fail);
    call.on('error', () => answers.destroy());
    // Piped, so that nobody can ask faster than they read.
    call.pipe(answers).pipe(call as Writable);
  };
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    server.register(path, handler, (answer: Buffer) => answer, parser(readRequest), 'bidi');
  }
}
