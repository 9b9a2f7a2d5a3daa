// Any store file as text that stays the same for the same bytes, for people and for tests that compare.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>

#include "layers/base/codec.h"
#include "layers/delta/edit.h"
#include "layers/delta/journal.h"
#include "layers/format/layer.h"
#include "layers/jobs/jobs.h"

namespace branchfs {

namespace {

// Names may hold any byte: what is not printable ASCII is written \xNN.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
    out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out + "\"";
}

std::string describe(const Attr& a, const std::string& symlink) {
  std::string out = fmt::format("mode {:06o} owner {}:{} nlink {} size {} mtime {}.{:09}", a.mode, a.uid,
                                a.gid, a.nlink, a.size, a.mtime.tv_sec, a.mtime.tv_nsec);
  if (!symlink.empty()) out += " -> " + in_quotes(symlink);
  return out;
}

std::string blocks(BlockNo first, std::uint64_t count) { return fmt::format("{}+{}", first.v, count); }

void dump_edit(const Edit& edit, std::string& out) {
  for (const InodeItem& i : edit.inodes) {
    out +=
        fmt::format("  inode {} {}{}\n", i.attr.ino.v, describe(i.attr, i.symlink), i.owned ? " owned" : "");
  }
  for (const CutItem& i : edit.cuts) out += fmt::format("  cut {} from {}\n", i.ino.v, i.from.v);
  for (const ZeroItem& i : edit.zeros)
    out += fmt::format("  zero {} {}\n", i.ino.v, blocks(i.range.first, i.range.count));
  for (const CloneItem& i : edit.clones) {
    out += fmt::format("  clone {} {} from {} inode {} block {}\n", i.ino.v,
                       blocks(i.range.first, i.range.count), i.element.hex(), i.source.v, i.source_first.v);
  }
  for (const PresentItem& i : edit.presents) {
    out += fmt::format("  present {}", i.ino.v);
    for (const BlockRange& range : i.ranges) out += " " + blocks(range.first, range.count);
    out += "\n";
  }
  for (const NameItem& i : edit.names) {
    out += fmt::format("  name {} {} -> {} type {}\n", i.parent.v, in_quotes(i.name), i.ino.v, i.type);
  }
  if (edit.next_ino != kNoIno) out += fmt::format("  next_ino {}\n", edit.next_ino.v);
}

Status dump_record(RecordType type, std::span<const std::byte> payload, std::string& out) {
  Decoder d(payload);
  switch (type) {
    case RecordType::confirm:
      out += fmt::format("confirm inode {}", d.get<std::uint64_t>());
      out += fmt::format(" of boot {:016x}\n", d.get<std::uint64_t>());
      return {};
    case RecordType::sealed:
      out += fmt::format("sealed at journal size {}", d.get<std::uint64_t>());
      out += fmt::format(" in boot {:016x}\n", d.get<std::uint64_t>());
      return {};
    case RecordType::sums: {
      const auto ino = d.get<std::uint64_t>();
      const auto size = d.get<std::uint64_t>();
      const auto first = d.get<std::uint64_t>();
      const auto count = d.get<std::uint64_t>();
      if (!d.ok()) return make_error(Kind::damaged, "a record of sums is too short");
      if (ino == 0) {
        out += "sums of all data\n";
        return {};
      }
      out += fmt::format("sums of inode {}, {} bytes: {} block(s) from {} on{}\n", ino, size, count, first, d.at_end() ? ", zeros" : "");
      while (!d.at_end()) out += fmt::format("  {:016x}\n", d.get<std::uint64_t>());
      return {};
    }
    case RecordType::edit:
      out += "edit\n";
      break;
    case RecordType::unsynced: {
      auto boot = d.get<std::uint64_t>();
      auto ino = d.get<std::uint64_t>();
      if (payload.size() < 16) return make_error(Kind::damaged, "an unsynced record is too short");
      out += fmt::format("unsynced boot {:016x} inode {}\n", boot, ino);
      payload = payload.subspan(16);
      break;
    }
  }
  BFS_ASSIGN(Edit edit, Edit::decode(payload));
  dump_edit(edit, out);
  return {};
}

// The id of a journal or a layer: both keep it at byte 16.
ObjectId id_in(std::string_view bytes) {
  ObjectId id;
  std::memcpy(&id.hi, bytes.data() + 16, 8);
  std::memcpy(&id.lo, bytes.data() + 24, 8);
  return id;
}

Result<std::string> dump_journal(Env& env, const std::string& path, ObjectId id) {
  std::string out = fmt::format("journal {}\n", id.hex());
  BFS_ASSIGN(JournalScan scan,
             Journal::scan(env, path, id, [&](RecordType type, std::span<const std::byte> payload) {
               return dump_record(type, payload, out);
             }));
  out +=
      fmt::format("end: {} records, {} of {} bytes valid\n", scan.records, scan.valid_size, scan.file_size);
  return out;
}

Status dump_chunks(const Layer& layer, std::string& out) {
  for (std::uint32_t i = 0; i < layer.chunk_count(); ++i) {
    BFS_ASSIGN(ChunkRecord r, layer.chunk(i));
    out += fmt::format("chunk {} at {} size {} blocks {} codec {} checksum {:016x}\n", i, r.offset,
                       r.stored_size, r.blocks,
                       r.codec == static_cast<std::uint16_t>(Codec::raw) ? "raw" : "lz4", r.checksum);
  }
  return {};
}

Status dump_inodes(const Layer& layer, std::string& out) {
  for (std::uint64_t i = 0; i < layer.inode_count(); ++i) {
    BFS_ASSIGN(LayerInode node, layer.inode_at(i));
    out += fmt::format("inode {} {}\n", node.attr.ino.v, describe(node.attr, node.symlink));
    if (node.map.layer && node.map.layer.get() != &layer) {
      out += fmt::format("  map {}+{} of {}\n", node.map.first, node.map.count, node.map.layer->id().hex());
      continue;
    }
    for (std::uint64_t k = 0; k < node.map.count; ++k) {
      BFS_ASSIGN(Extent e, Layer::extent_number(node.map, k));
      out += fmt::format("  {} chunk {} skip {}", blocks(e.block, e.count), e.chunk, e.skip);
      out += e.layer.get() == &layer ? "\n" : " of " + e.layer->id().hex() + "\n";
    }
  }
  return {};
}

Result<std::string> dump_layer(Env& env, const std::string& path, ObjectId id) {
  std::string dir = path.substr(0, path.rfind('/') + 1);
  LayerSet set(env, [&](ObjectId wanted) { return wanted == id ? path : dir + wanted.hex() + ".layer"; });
  BFS_ASSIGN(LayerPtr layer, set.open(id));
  std::string out = fmt::format("layer {} created {} size {} max_ino {}\n", id.hex(), layer->created(),
                                layer->file_size(), layer->max_ino().v);
  for (const LayerPtr& dependency : layer->dependencies())
    out += "depends on " + dependency->id().hex() + "\n";
  BFS_TRY(dump_inodes(*layer, out));
  for (std::uint64_t i = 0; i < layer->name_count(); ++i) {
    BFS_ASSIGN(LayerName name, layer->name_at(i));
    out +=
        fmt::format("name {} {} -> {} type {}\n", name.parent.v, in_quotes(name.name), name.ino.v, name.type);
  }
  BFS_TRY(dump_chunks(*layer, out));
  return out;
}

}  // namespace

Result<std::string> dump(Env& env, const std::string& path) {
  BFS_ASSIGN(auto file, env.open(path, O_RDONLY | O_NONBLOCK));
  BFS_ASSIGN(struct ::stat st, file->stat());
  if (!S_ISREG(st.st_mode)) return make_error(Kind::usage, path + " is not a file of a store");
  std::string head(64, '\0');
  BFS_ASSIGN(std::size_t got, file->read_at(std::as_writable_bytes(std::span(head)), 0));
  head.resize(got);
  bool has_id = head.size() >= 48;
  if (has_id && head.starts_with("BFSJOURN")) return dump_journal(env, path, id_in(head));
  if (has_id && head.starts_with("BFSLAYER")) return dump_layer(env, path, id_in(head));
  if (head.starts_with("branchfs store\n")) return env.read_file(path, 1U << 20U);
  if (!head.starts_with("branchfs-manifest ")) {
    return make_error(
        Kind::usage, path + " is not a file of a store",
        "dump takes a manifest, a journal, a confirm, sealed or sums file, a layer, or the file \"store\"");
  }
  BFS_ASSIGN(std::string text, env.read_file(path));
  BFS_ASSIGN(Manifest manifest, Manifest::decode(text));
  // Encoding again would hide fields that only a newer branchfs knows.
  return text.substr(text.find('\n') + 1);
}

}  // namespace branchfs
