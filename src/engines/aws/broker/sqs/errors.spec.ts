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

test('credentials that AWS refuses are told from an answer that did not come', () => {
  expect(asBrokerError(thrown('AccessDenied')).message).toContain('credentials');
  expect(asBrokerError(thrown('TimeoutError')).message).not.toContain('credentials');
});

test('credentials that were not found are told so: AWS refused nothing', () => {
  const { message, help } = asBrokerError(thrown('CredentialsProviderError'));
  expect(message).toBe('The server found no AWS credentials (no).');
  expect(help).toContain('AWS_ACCESS_KEY_ID');
});

test('an error of ours stays as it is, anything else is told', () => {
  const ours = noSqsQueue({ tenant: 'acme', queue: 'mail' }, 'holdfast-mail.fifo');
  expect(asBrokerError(ours)).toBe(ours);
  expect(asBrokerError('boom').message).toContain('boom');
});

test('a missing queue is known by its name of either protocol', () => {
  expect(isMissingQueue(thrown('QueueDoesNotExist'))).toBe(true);
  expect(isMissingQueue(thrown('AWS.SimpleQueueService.NonExistentQueue'))).toBe(true);
  expect(isMissingQueue(thrown('AccessDenied'))).toBe(false);
  expect(isMissingQueue(undefined)).toBe(false);
});

test('a part of a batch fails by its own reason', () => {
  const entry = { Id: '0', Message: 'no' };
  const of = (Code: string, SenderFault: boolean): HoldfastError =>
    asSendError({ ...entry, Code, SenderFault });
  expect(of('InternalError', false)).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
  expect(of('RequestThrottled', true)).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
  expect(of('InvalidParameterValue', true)).toMatchObject({ code: 'INTERNAL', reason: 'BUG' });
});
