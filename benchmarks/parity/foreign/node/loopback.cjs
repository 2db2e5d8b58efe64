// Every connection goes to the tenant's port on this machine, whatever the name
// and the port that a client asks for. Nothing leaves the machine.
const net = require('net');

const connect = net.Socket.prototype.connect;
const port = Number(process.env.TENANT_PORT);

net.Socket.prototype.connect = function (...args) {
  const wrapped = Array.isArray(args[0]);
  const options = wrapped ? args[0][0] : args[0];
  if (options === null || typeof options !== 'object' || options.path) {
    throw new Error('a connection that does not go to the tenant');
  }
  const there = { ...options, host: '127.0.0.1', port };
  if (wrapped) args[0][0] = there;
  else args[0] = there;
  return connect.apply(this, args);
};
