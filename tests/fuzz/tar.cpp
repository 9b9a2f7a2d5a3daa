// The archives of a base backup, which a hostile server may have made. Nothing may come out of an archive but files and directories below
// the branch's own root; and of an archive that is accepted a layer must come that `verify` finds no fault with.
#include <algorithm>

#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "tests/fuzz/support.h"
#include "tools/import/paths.h"
#include "tools/import/tar_import.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;

constexpr const char* kStore = "/store";

void fill(Env& env) { need(Store::init(env, kStore)); }

// Looks at what the archive asks for, and passes it on.
class Watch final : public TreeBuilder {
 public:
  explicit Watch(TreeBuilder& builder) : builder_(builder) {}
  Result<Ino> add(const std::string& path, const Attr& attr, std::string_view symlink) override {
    expect(safe_relative_path(path) && path.find('\0') == std::string::npos && symlink.empty());
    expect(S_ISREG(attr.mode) || S_ISDIR(attr.mode));
    return builder_.add(path, attr, symlink);
  }
  Result<Ino> add_hard_link(const std::string&, const std::string&) override { __builtin_trap(); }
  Status write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) override { return builder_.write(ino, offset, data); }
  Status set_size(Ino ino, std::uint64_t size) override { return builder_.set_size(ino, size); }
  Status remove(const std::string&) override { __builtin_trap(); }
  [[nodiscard]] std::optional<Ino> find(const std::string& path) const override { return builder_.find(path); }
  Result<Manifest> publish(const std::string&, Manifest) override { __builtin_trap(); }
  [[nodiscard]] LayerWriterStats stats() const override { return {}; }

 private:
  TreeBuilder& builder_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Stage stage(fill);
  constexpr std::size_t kPiece = 700;
  test::MemoryDisk disk(stage.image());
  test::MemoryEnv env(disk, 1, 2);
  auto store = need(Store::open(env, kStore));
  auto builder = need(TreeBuilder::create(*store, attr_of(1, S_IFDIR | 0700, 0, 2)));
  Watch watch(*builder);
  ConfigFiles config;
  TarOptions options;
  options.config = &config;
  auto rest = as_span(data, size);
  const Status imported = import_tar(
      watch,
      [&]() -> Result<std::span<const std::byte>> {
        const auto piece = rest.first(std::min(kPiece, rest.size()));
        rest = rest.subspan(piece.size());
        return piece;
      },
      options);
  if (!imported) return 0;
  need(builder->publish("b", {}));
  expect(need(verify_store(*store)).problems == 0);
  return 0;
}
