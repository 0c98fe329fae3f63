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
])('%s is %s, %s, and can be retried', (name, code, reason) => {
  const error = asBrokerError(thrown(name));
  expect(error).toMatchObject({ code, reason, retryable: true });
  expect(error.help).toBeTruthy();
  expect(error.cause).toBeInstanceOf(Error);
});

test('the message names credentials if AWS refuses them, and not if AWS does not answer', () => {
  expect(asBrokerError(thrown('AccessDenied')).message).toContain('credentials');
  expect(asBrokerError(thrown('TimeoutError')).message).not.toContain('credentials');
});

test('if no credentials were found, the message says that and the help names the variables', () => {
  const { message, help } = asBrokerError(thrown('CredentialsProviderError'));
  expect(message).toBe('The server found no AWS credentials (no).');
  expect(help).toContain('AWS_ACCESS_KEY_ID');
});

test('a HoldfastError is not wrapped, and any other value is quoted in the message', () => {
  const ours = noSqsQueue({ tenant: 'acme', queue: 'mail' }, 'holdfast-mail.fifo');
  expect(asBrokerError(ours)).toBe(ours);
  expect(asBrokerError('boom').message).toContain('boom');
});

test('a missing queue is recognised by its error name in both SQS protocols', () => {
  expect(isMissingQueue(thrown('QueueDoesNotExist'))).toBe(true);
  expect(isMissingQueue(thrown('AWS.SimpleQueueService.NonExistentQueue'))).toBe(true);
  expect(isMissingQueue(thrown('AccessDenied'))).toBe(false);
  expect(isMissingQueue(undefined)).toBe(false);
});

test('a failed entry of a batch becomes an error by its own code', () => {
  const entry = { Id: '0', Message: 'no' };
  const of = (Code: string, SenderFault: boolean): HoldfastError =>
    asSendError({ ...entry, Code, SenderFault });
  expect(of('InternalError', false)).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
  expect(of('RequestThrottled', true)).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
  expect(of('InvalidParameterValue', true)).toMatchObject({ code: 'INTERNAL', reason: 'BUG' });
});
