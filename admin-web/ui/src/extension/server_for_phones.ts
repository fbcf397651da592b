/** SIP's own port, which phones assume (RFC 3261 19.1.2). */
const SIP_PORT = '5060';

/**
 * The address to type into a phone. A server that listens everywhere is reached where the page was reached; the port is named
 * only if it is not the usual one.
 */
export function serverForPhones(listening: string, pageHost: string): string {
  const [, host = '', port = SIP_PORT] = /^(.*?)(?::(\d+))?$/.exec(listening) ?? [];
  const named = ['', '0.0.0.0', '[::]'].includes(host) ? pageHost : host;
  return port === SIP_PORT ? named : `${named}:${port}`;
}
