// A directory of accounts (PLC) in memory and a Bluesky PDS, both on loopback only; see server.py,
// which gives the settings as the PDS's own variables and PLC_PORT.
"use strict";
const { Server } = require("node:net");
const { PDS, envToCfg, envToSecrets, readEnv } = require("@atproto/pds");
const { Database, PlcServer } = require("@did-plc/server");

// Both would listen on every address of the machine, and neither can be told otherwise.
const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest);
};

async function main() {
  const port = Number(process.env.PLC_PORT);
  await PlcServer.create({ db: Database.mock(), port }).start();
  const settings = readEnv();
  const pds = await PDS.create(envToCfg(settings), envToSecrets(settings));
  await pds.start();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
