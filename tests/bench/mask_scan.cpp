// How fast the proof of a masked branch reads: witnesses per column × 6 columns against made-up tables, in memory and in a store.
//
//   mask-scan-bench [--mib 1024] [--witnesses 20000] [--runs 5] [--threads 1] [--pgdata DIR] [--build-only]
//
// One thread is pinned to a core. Prints the median of the runs, by wall clock and by the CPU time used (which is what
// counts on a machine that others use too). --build-only: nothing is scanned, the witnesses are only made ready for it. --pgdata: a stopped server's data directory is scanned instead of made-up data.
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include "layers/jobs/import.h"
#include "layers/store/branches.h"
#include "tools/mask/proof/proof.h"

namespace branchfs::mask {
namespace {

using Random = std::mt19937_64;

struct Arguments {
  std::size_t mib = 1024, witnesses = kWitnessesPerColumn, runs = 5;
  unsigned threads = 1;
  std::string pgdata;
  bool build_only = false;
};

template <class T>
T must(Result<T> result) {
  if (result) return *std::move(result);
  fmt::print(stderr, "mask-scan-bench: {}\n", result.error().what);
  std::exit(1);
}
void must(Status status) {
  if (status) return;
  fmt::print(stderr, "mask-scan-bench: {}\n", status.error().what);
  std::exit(1);
}

std::string pronounceable(Random& random, int syllables) {
  std::string out;
  for (int i = 0; i < syllables; ++i) {
    out += "bcdfghjklmnprstvwz"[random() % 18];
    out += "aeiou"[random() % 5];
    if (random() % 3 == 0) out += "nrsl"[random() % 4];
  }
  return out;
}
std::string capital(std::string word) {
  word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

// The values of a row, in the styles that people's tables have. `domain` keeps originals and masks apart.
struct Person {
  std::string name, email, phone, street, id, note;
};
Person make_person(Random& random, const std::vector<std::string>& words, const char* domain) {
  Person p;
  const std::string first = pronounceable(random, 2);
  const std::string last = pronounceable(random, 3);
  p.name = capital(first) + " " + capital(last);
  p.email = first + "." + last + std::to_string(random() % 100) + "@" + domain;
  p.phone = fmt::format("+1 ({:03}) {:03}-{:04}", 200 + random() % 800, random() % 1000, random() % 10000);
  p.street = fmt::format("{} {} Street", 1 + random() % 999, capital(pronounceable(random, 3)));
  p.id = fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", random() & 0xFFFFFFFFU, random() & 0xFFFFU, random() & 0xFFFU,
                     random() & 0xFFFU, random() & 0xFFFFFFFFFFFFU);
  for (std::size_t i = 0, count = 5 + random() % 30; i < count; ++i) p.note += words[random() % words.size()] + (i % 9 == 8 ? ". " : " ");
  return p;
}

std::vector<std::string> make_words(Random& random) {
  std::vector<std::string> words{"the", "and", "of", "to", "a", "in", "customer", "asked", "for", "order", "is", "was"};
  for (int i = 0; i < 3000; ++i) words.push_back(pronounceable(random, 1 + static_cast<int>(random() % 4)));
  return words;
}

WitnessSet make_witnesses(Random& random, const std::vector<std::string>& words, std::size_t count) {
  WitnessSet set;
  const char* names[] = {"name", "email", "phone", "street", "id", "note"};
  const char* types[] = {"text", "text", "text", "text", "uuid", "text"};
  std::size_t columns[6];
  for (int i = 0; i < 6; ++i) columns[i] = set.add_column(names[i], types[i]);
  for (std::size_t i = 0; i < count; ++i) {
    const Person p = make_person(random, words, "gmail.com");
    const std::string* values[] = {&p.name, &p.email, &p.phone, &p.street, &p.id, &p.note};
    for (int c = 0; c < 6; ++c) set.add(columns[c], *values[c]);
  }
  return set;
}

// Pages with a header, line pointers and rows from the end on.
class Pages {
 public:
  explicit Pages(std::size_t size) : bytes_(size / kBlockSize * kBlockSize) {}
  // False when there is no room left.
  bool add(const std::string& row) {
    const std::size_t size = (24 + row.size() + 7) / 8 * 8;
    if (low_ + 4 + size > high_) {
      page_ += kBlockSize;
      low_ = 24;
      high_ = kBlockSize;
    }
    if (page_ >= bytes_.size()) return false;
    high_ -= size;
    std::byte* page = bytes_.data() + page_;
    const auto pointer = static_cast<std::uint32_t>(high_ | 1U << 15U | size << 17U);
    std::memcpy(page + low_, &pointer, sizeof pointer);
    low_ += 4;
    const std::uint16_t header[] = {static_cast<std::uint16_t>(low_), static_cast<std::uint16_t>(high_), kBlockSize, kBlockSize | 4};
    std::memcpy(page + 12, header, sizeof header);
    const std::uint32_t transaction = 740;
    std::memcpy(page + high_, &transaction, sizeof transaction);
    page[high_ + 20] = std::byte{2};
    page[high_ + 22] = std::byte{24};
    std::memcpy(page + high_ + 24, row.data(), row.size());
    return true;
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t page_ = 0, low_ = 24, high_ = kBlockSize;
};

std::string integer(std::uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }
std::string brief(const std::string& text) {
  return text.size() < 126 ? std::string(1, static_cast<char>((text.size() + 1) << 1U | 1U)) + text
                           : integer(static_cast<std::uint32_t>((text.size() + 4) << 2U)) + text;
}

std::vector<std::byte> make_accounts(std::size_t size) {
  Pages pages(size);
  for (std::uint32_t i = 1; pages.add(integer(i) + integer(1 + i / 100'000) + integer(i * 7919 % 10'000) + "\xab" + std::string(84, ' '));) ++i;
  return pages.take();
}
std::vector<std::byte> make_people(Random& random, const std::vector<std::string>& words, std::size_t size) {
  Pages pages(size);
  for (std::uint32_t i = 1;; ++i) {
    const Person p = make_person(random, words, "example.com");
    std::string row = integer(i);
    for (const std::string* field : {&p.name, &p.email, &p.phone, &p.street, &p.id, &p.note}) row += brief(*field);
    if (!pages.add(row)) return pages.take();
  }
}

struct Timing {
  double wall = 0, cpu = 0;
};
double cpu_seconds() {
  ::timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}
template <class Work>
Timing timed(std::size_t runs, Work work) {
  std::vector<double> walls, cpus;
  for (std::size_t i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    work();
    walls.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    cpus.push_back(cpu_seconds() - cpu);
  }
  std::sort(walls.begin(), walls.end());
  std::sort(cpus.begin(), cpus.end());
  return {walls[runs / 2], cpus[runs / 2]};
}
void print(const std::string& what, double bytes, const Timing& t, std::uint64_t hits) {
  fmt::print("{:<34} {:>7.0f} MB/s  {:>7.0f} MB per CPU-second  {} hits\n", what, bytes / 1e6 / t.wall, bytes / 1e6 / t.cpu, hits);
}

void measure_memory(const std::string& what, const std::vector<std::byte>& data, const WitnessSet& set, std::size_t runs) {
  std::uint64_t hits = 0;
  const Timing t = timed(runs, [&] {
    hits = 0;
    for (std::size_t at = 0; at < data.size(); at += 256 << 10) {
      set.scan(std::span(data).subspan(at, std::min<std::size_t>(256 << 10, data.size() - at)), [&](const WitnessSet::Hit&) {
        ++hits;
        return true;
      });
    }
  });
  print(what, static_cast<double>(data.size()), t, hits);
}

class Scratch {
 public:
  Scratch() {
    const char* tmp = std::getenv("TMPDIR");
    dir_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/mask-scan-XXXXXX";
    if (::mkdtemp(dir_.data()) == nullptr) must(Status(sys_error("make a directory " + dir_)));
    must(Store::init(posix_env(), dir_ + "/store"));
    store_ = must(Store::open(posix_env(), dir_ + "/store"));
  }
  ~Scratch() {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  std::unique_ptr<TreeBuilder> builder() {
    Attr root;
    root.ino = kRootIno;
    root.mode = S_IFDIR | 0700;
    return must(TreeBuilder::create(*store_, root));
  }
  std::shared_ptr<Store>& store() { return store_; }

 private:
  std::string dir_;
  std::shared_ptr<Store> store_;
};

void add_file(TreeBuilder& builder, const std::string& path, std::span<const std::byte> data) {
  Attr attr;
  attr.mode = S_IFREG | 0600;
  const Ino ino = must(builder.add(path, attr));
  must(builder.write(ino, 0, data));
  must(builder.set_size(ino, data.size()));
}

void measure_store(const std::string& what, Scratch& scratch, const WitnessSet& set, const Arguments& arguments) {
  ScanOptions options;
  options.threads = arguments.threads;
  ScanResult result;
  const Timing t = timed(arguments.runs, [&] { result = must(scan_branch(scratch.store(), "main", set, options)); });
  print(fmt::format("{}, {} thread(s)", what, arguments.threads), static_cast<double>(result.bytes_read), t, result.hits.size());
  fmt::print("  {} files, {} bytes, {} read, {} compressed values\n", result.files, result.bytes, result.bytes_read, result.compressed_values);
  std::map<std::string, std::uint64_t> kinds;
  for (const ScanHit& hit : result.hits) ++kinds[hit.column + " " + to_string(hit.place) + " " + to_string(hit.encoding)];
  for (const auto& [kind, count] : kinds) fmt::print("  {}: {}\n", kind, count);
}

// What sealing costs, without what adding costs.
void measure_build(const std::vector<std::string>& words, const Arguments& arguments) {
  std::vector<WitnessSet> sets;
  for (std::size_t i = 0; i < arguments.runs; ++i) {
    Random random(i);
    sets.push_back(make_witnesses(random, words, arguments.witnesses));
  }
  std::size_t next = 0;
  const Timing t = timed(arguments.runs, [&] { sets[next++].seal(); });
  fmt::print("{} witnesses, built in {:.3f} s of CPU\n", sets.front().count(), t.cpu);
}

int run(const Arguments& arguments) {
  Random random(20'260'101);
  const std::vector<std::string> words = make_words(random);
  if (arguments.threads == 1) {
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(::sched_getcpu(), &core);
    ::sched_setaffinity(0, sizeof core, &core);
  }
  if (arguments.build_only) {
    measure_build(words, arguments);
    return 0;
  }
  WitnessSet set = make_witnesses(random, words, arguments.witnesses);
  const Timing built = timed(1, [&] { set.seal(); });
  fmt::print("{} witnesses, built in {:.2f} s of CPU\n", set.count(), built.cpu);
  Scratch scratch;
  auto builder = scratch.builder();
  if (!arguments.pgdata.empty()) {
    must(import_tree(*builder, arguments.pgdata, "", {}));
    must(builder->publish("main", {}));
    measure_store(arguments.pgdata, scratch, set, arguments);
    return 0;
  }
  const std::size_t half = arguments.mib << 19U;
  const std::vector<std::byte> accounts = make_accounts(half);
  const std::vector<std::byte> people = make_people(random, words, half);
  measure_memory("memory, pgbench_accounts", accounts, set, arguments.runs);
  measure_memory("memory, people and notes", people, set, arguments.runs);
  std::vector<std::byte> both = accounts;
  both.insert(both.end(), people.begin(), people.end());
  measure_memory("memory, both", both, set, arguments.runs);
  add_file(*builder, "accounts", accounts);
  add_file(*builder, "people", people);
  must(builder->publish("main", {}));
  measure_store("store, both", scratch, set, arguments);
  return 0;
}

}  // namespace
}  // namespace branchfs::mask

int main(int count, char** values) {
  branchfs::mask::Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string name = values[i];
    if (name == "--build-only") {
      arguments.build_only = true;
      continue;
    }
    if (++i == count) break;
    const std::string value = values[i];
    if (name == "--pgdata") {
      arguments.pgdata = value;
    } else {
      std::size_t* number = name == "--mib" ? &arguments.mib : name == "--witnesses" ? &arguments.witnesses : name == "--runs" ? &arguments.runs : nullptr;
      if (number != nullptr) *number = std::stoul(value);
      if (name == "--threads") arguments.threads = static_cast<unsigned>(std::stoul(value));
    }
  }
  return branchfs::mask::run(arguments);
}
