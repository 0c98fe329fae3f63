/**
 * The parts of grpc-js that the client uses. scripts/pack-grpc.ts replaces the build of this file by a copy of them, so that
 * a bundle of an application holds neither grpc-js's server nor protobufjs, and no `require` that a bundle in ESM lacks.
 */
export {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  experimental,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
