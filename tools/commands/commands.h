// Where each group of commands enters the command line; one function per tools/commands/*.cpp group.
//
// A function adds its subcommands to `line` and returns; what a command does happens later, in its body.
#pragma once

namespace branchfs {

class CommandLine;

void add_store_commands(CommandLine& line);        // init, import, list, show, du
void add_branch_commands(CommandLine& line);       // create, rename, delete, protect, expire, reset
void add_postgres_commands(CommandLine& line);     // mount, umount, start, stop, restart, status, url, psql, logs, run
void add_mask_commands(CommandLine& line);         // mask init, check, preview, verify
void add_maintenance_commands(CommandLine& line);  // pack, compact, gc, verify, dump

}  // namespace branchfs
