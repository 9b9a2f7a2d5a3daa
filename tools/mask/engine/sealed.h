// A sealed branch: unreachable for everybody but the run that masks it, with a private server that nobody else can reach.
//
// States of the branch's manifest: sealed → masking → proving → ready; anything but ready can be opened by this run alone (the manifest's
// masking.run and the mount's option `sealed` say which). A RunnerTicket goes with it: if this process dies, the next
// command destroys the branch, its mount and its server. Owner: one run; it holds the branch's operation lock. Threads: connect() from any, all else from
// one. Destroying the object destroys the branch unless release() was called.
#pragma once

#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>

#include "layers/store/branches.h"
#include "tools/lifecycle/lifecycle.h"
#include "tools/lifecycle/reap.h"
#include "tools/mask/engine/key.h"
#include "tools/pg/session.h"

namespace branchfs::mask {

// A core file would hold rows. The limit is inherited by the mount's process and the server, and given back afterwards.
class NoCoreFiles {
 public:
  NoCoreFiles();
  ~NoCoreFiles();
  NoCoreFiles(const NoCoreFiles&) = delete;
  NoCoreFiles& operator=(const NoCoreFiles&) = delete;

 private:
  struct ::rlimit before_ {};
};

class SealedBranch {
 public:
  // Branches `name` off `parent`. exists, not_found, refused as create_branch() says; refused when the parent is masked already.
  // Only a run that looks at masks, rather than making them, may have a masked parent.
  static Result<std::unique_ptr<SealedBranch>> create(std::shared_ptr<Store> store, const std::string& name,
                                                      const std::string& parent, CreateOptions options,
                                                      bool of_masked = false);
  ~SealedBranch();
  SealedBranch(const SealedBranch&) = delete;
  SealedBranch& operator=(const SealedBranch&) = delete;

  [[nodiscard]] Store& store() const { return *store_; }
  [[nodiscard]] std::shared_ptr<Store> shared_store() const { return store_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& run() const { return run_; }
  // The stack it was made from: what it may share with nobody who is masked.
  [[nodiscard]] const std::vector<ObjectId>& source() const { return source_; }
  [[nodiscard]] const std::string& data_dir() const { return spec_.data_dir; }
  [[nodiscard]] const pg::ServerSpec& server() const { return spec_; }
  // A database that can be connected to.
  [[nodiscard]] const std::string& entrance() const { return entrance_; }

  Status set_state(const std::string& state);
  // Before start(): shows another head than its parent's (one that another branch's stack ends with).
  Status show_head(const std::vector<ObjectId>& stack);
  // Mounted, neutralized, served with settings for bulk work, without TCP, preloaded libraries, archiver, autovacuum or a log of values.
  Status start(const Warn& warn);
  // A superuser's session with discreet errors, in which triggers and rules are off; one for each thread.
  [[nodiscard]] Result<pg::Session> connect(const std::string& database) const;
  // With an immediate stop running statements fail.
  Status stop(pg::StopMode mode);
  Status unmount();

  // What it shows becomes its immutable head, `change` alters its manifest in the same write, and it is nobody's to destroy any more.
  Result<Manifest> release(const std::function<Status(Manifest&)>& change);
  // As release(), for when the manifest has been written already.
  Status forget_ticket();
  // The run's name for a branch that nobody asked for by name.
  static std::string scratch_name(const Store& store);
  // Stops, unmounts and deletes it. Also what the destructor does.
  Status destroy();

 private:
  SealedBranch(std::shared_ptr<Store> store, std::string name, std::string run, RunnerTicket ticket)
      : store_(std::move(store)), name_(std::move(name)), run_(std::move(run)), ticket_(std::move(ticket)) {}
  Result<BranchInfo> info() const;

  NoCoreFiles no_core_files_;
  std::shared_ptr<Store> store_;
  std::string name_;
  std::string run_;
  RunnerTicket ticket_;
  std::optional<OperationLock> lock_;
  std::vector<ObjectId> source_;
  pg::ServerSpec spec_;
  std::string role_;
  std::string entrance_;
  bool made_ = false;
  bool running_ = false;
  bool mounted_ = false;
};

}  // namespace branchfs::mask
