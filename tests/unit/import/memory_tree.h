// A TreeBuilder that keeps everything in memory, so that tests see exactly what an import would have stored.
#pragma once

#include <map>
#include <string>

#include "layers/jobs/import.h"

namespace branchfs::test {

class MemoryTree final : public TreeBuilder {
 public:
  struct Node {
    Attr attr;
    std::string symlink;
    std::string data;
  };
  std::map<std::string, Node> nodes;

  Result<Ino> add(const std::string& path, const Attr& attr, std::string_view symlink = {}) override {
    const auto slash = path.rfind('/');
    if (slash != std::string::npos && nodes.count(path.substr(0, slash)) == 0) {
      return make_error(Kind::not_found, "no parent of " + path);
    }
    Node node{attr, std::string(symlink), {}};
    node.attr.ino = Ino{++last_};
    paths_[last_] = path;
    nodes[path] = node;
    return node.attr.ino;
  }
  Result<Ino> add_hard_link(const std::string&, const std::string&) override {
    return posix_error(EOPNOTSUPP);
  }
  Status write(Ino ino, std::uint64_t offset, std::span<const std::byte> data) override {
    auto& content = nodes[paths_[ino.v]].data;
    if (offset < content.size()) return make_error(Kind::failed, "offsets must ascend");
    content.resize(offset);
    content.append(reinterpret_cast<const char*>(data.data()), data.size());
    return {};
  }
  Status set_size(Ino ino, std::uint64_t size) override {
    nodes[paths_[ino.v]].data.resize(size);
    return {};
  }
  Status remove(const std::string& path) override {
    if (nodes.erase(path) == 0) return make_error(Kind::not_found, path);
    std::erase_if(nodes,
                  [&](const auto& node) { return node.first.compare(0, path.size() + 1, path + "/") == 0; });
    return {};
  }
  [[nodiscard]] std::optional<Ino> find(const std::string& path) const override {
    const auto found = nodes.find(path);
    return found == nodes.end() ? std::nullopt : std::optional(found->second.attr.ino);
  }
  Result<Manifest> publish(const std::string&, Manifest manifest) override { return manifest; }
  [[nodiscard]] LayerWriterStats stats() const override { return {}; }

 private:
  std::uint64_t last_ = 1;
  std::map<std::uint64_t, std::string> paths_;
};

}  // namespace branchfs::test
