/**
 * Serves grpc.reflection, with which generic clients read the services and their descriptors. v1 and v1alpha have the
 * same few messages, which this file reads and writes by hand; the descriptors come from the generated code.
 */
import { create, createFileRegistry, type DescFile, type FileRegistry, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { handleBidiStreamingCall, Server, ServerDuplexStream } from '@grpc/grpc-js';
import { Reader } from '../../core/codec/reader.ts';
import { Writer } from '../../core/codec/writer.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { asBuffer, type ParseResult, parser } from './parse.ts';
import { statusOf } from './status.ts';

type ReflectionQuery =
  | { readonly kind: 'file' | 'symbol' | 'numbers'; readonly name: string }
  | { readonly kind: 'extension' }
  | { readonly kind: 'services' }
  | { readonly kind: 'unknown' };

interface ReflectionRequest {
  /** The encoded reflection request, which the response must contain unchanged. */
  readonly bytes: Uint8Array;
  readonly query: ReflectionQuery;
}

type ReflectionCall = ServerDuplexStream<ParseResult<ReflectionRequest>, Buffer>;

const notFound = 5;
const unimplemented = 12;
const kinds = { 3: 'file', 4: 'symbol', 6: 'numbers' } as const;

function readRequest(bytes: Uint8Array): ReflectionRequest {
  const reader = new Reader(bytes);
  let query: ReflectionQuery = { kind: 'unknown' };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 3 || field === 4 || field === 6) query = { kind: kinds[field], name: reader.string() };
    else if (field === 7) {
      reader.string();
      query = { kind: 'services' };
    } else {
      if (field === 5) query = { kind: 'extension' };
      reader.skip();
    }
  }
  return { bytes, query };
}

/** Answers reflection requests from a set of descriptor files and all files that they import. */
export class ReflectionIndex {
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

  answer({ bytes, query }: ReflectionRequest): Buffer {
    const writer = this.#writer.reset().message(2, bytes);
    if (query.kind === 'services') {
      writer.nested(6, (list) => {
        for (const name of this.#services) list.nested(1, (service) => service.string(1, name));
      });
    } else if (query.kind === 'numbers' && this.#registry.getMessage(query.name) !== undefined) {
      writer.nested(5, (answer) => answer.string(1, query.name));
    } else {
      const found = this.#find(query);
      if (found === undefined) this.#missing(writer, query);
      else writer.nested(4, (answer) => writeFiles(answer, found));
    }
    return asBuffer(writer.finish());
  }

  #find(query: ReflectionQuery): DescFile | undefined {
    if (query.kind === 'file') return this.#registry.getFile(`${query.name.replace(/\.proto$/, '')}.proto`);
    if (query.kind !== 'symbol') return undefined;
    const { name } = query;
    const type = this.#registry.get(name);
    if (type !== undefined) return type.file;
    // A method, a field or an enum value is defined in the file of its parent symbol.
    return this.#registry.get(name.slice(0, Math.max(0, name.lastIndexOf('.'))))?.file;
  }

  #missing(writer: Writer, query: ReflectionQuery): void {
    const known = query.kind !== 'unknown' && query.kind !== 'extension';
    const message =
      'name' in query ? `No file or symbol is named '${query.name}'.` : 'There are no extensions.';
    writer.nested(7, (answer) => answer.number(1, known ? notFound : unimplemented).string(2, message));
  }
}

/**
 * Writes the descriptors of a schema file and of all files that it imports, so that the client needs no further
 * requests.
 */
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

/** Registers the calls of gRPC reflection. They need no identity, because the schema is public. */
export function addReflection(server: Server, files: readonly DescFile[]): void {
  const index = new ReflectionIndex(files);
  const handler: handleBidiStreamingCall<ParseResult<ReflectionRequest>, Buffer> = (call) => {
    call.on('error', () => {});
    void answerEach(call, index);
  };
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    server.register(path, handler, (answer: Buffer) => answer, parser(readRequest), 'bidi');
  }
}

/**
 * Answers the requests of one stream one after the other, each after the client has taken the answer before: anybody may
 * call reflection, and its answers are much larger than its requests.
 */
async function answerEach(call: ReflectionCall, index: ReflectionIndex): Promise<void> {
  // The call must outlive its last request, because the answers are not sent yet.
  const requests: AsyncIterable<ParseResult<ReflectionRequest>> = call.iterator({ destroyOnReturn: false });
  try {
    for await (const request of requests) {
      if (request instanceof HoldfastError) throw request;
      await new Promise<void>((resolve) => {
        call.once('close', resolve);
        call.write(index.answer(request), () => {
          call.off('close', resolve);
          resolve();
        });
      });
    }
    call.end();
  } catch (thrown) {
    if (!call.destroyed) call.emit('error', statusOf(asHoldfastError(thrown)));
  }
}
