import { expect, test } from 'vitest';
import type { HoldfastError } from '../../../../core/errors.ts';
import { asBrokerError, asSendError, isMissingQueue, noSqsQueue } from './errors.ts';

function thrown(name: string): Error {
  return Object.assign(new Error('no'), { name });
}

test.each([
  ['RequestThrottled', 'RESOURCE_EXHAUSTED', 'STORE_BUSY'],
  ['AWS.SimpleQueueService.OverLimit', 'RESOURCE_EXHAUSTED', 'STORE_BUSY'],
  ['ThrottlingException', 'RESOURCE_EXHAUSTED', 'STORE_BUSY'],
  ['AccessDenied', 'UNAVAILABLE', 'STORE_FAILED'],
  ['CredentialsProviderError', 'UNAVAILABLE', 'STORE_FAILED'],
  ['TimeoutError', 'UNAVAILABLE', 'STORE_FAILED'],
])('the AWS error %s becomes a retryable HoldfastError with code %s and reason %s', (name, code, reason) => {
  const error = asBrokerError(thrown(name));
  expect(error).toMatchObject({ code, reason, retryable: true });
  expect(error.help).toBeTruthy();
  expect(error.cause).toBeInstanceOf(Error);
});

test('the error message mentions credentials if AWS refuses them, but not if AWS does not answer', () => {
  expect(asBrokerError(thrown('AccessDenied')).message).toContain('credentials');
  expect(asBrokerError(thrown('TimeoutError')).message).not.toContain('credentials');
});

test('if the SDK found no AWS credentials, the error says so and its help names the environment variables', () => {
  const { message, help } = asBrokerError(thrown('CredentialsProviderError'));
  expect(message).toBe('The server found no AWS credentials (no).');
  expect(help).toContain('AWS_ACCESS_KEY_ID');
});

test('asBrokerError returns a HoldfastError unchanged, and quotes any other thrown value in the error message', () => {
  const ours = noSqsQueue({ tenant: 'acme', queue: 'mail' }, 'holdfast-mail.fifo');
  expect(asBrokerError(ours)).toBe(ours);
  expect(asBrokerError('boom').message).toContain('boom');
});

test('a missing SQS queue is recognised by the error names of both SQS protocols', () => {
  expect(isMissingQueue(thrown('QueueDoesNotExist'))).toBe(true);
  expect(isMissingQueue(thrown('AWS.SimpleQueueService.NonExistentQueue'))).toBe(true);
  expect(isMissingQueue(thrown('AccessDenied'))).toBe(false);
  expect(isMissingQueue(undefined)).toBe(false);
});

test('a failed entry of an SQS batch becomes a HoldfastError that fits the error code of the entry', () => {
  const entry = { Id: '0', Message: 'no' };
  const of = (Code: string, SenderFault: boolean): HoldfastError =>
    asSendError({ ...entry, Code, SenderFault });
  expect(of('InternalError', false)).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
  expect(of('RequestThrottled', true)).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
  expect(of('InvalidParameterValue', true)).toMatchObject({ code: 'INTERNAL', reason: 'BUG' });
});
