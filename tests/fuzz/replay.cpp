// Runs a target without libFuzzer: over the files of its corpus, and over some mutations of each, the same ones every time.
//
//   fuzz_NAME [-mutations=N] FILE-OR-DIRECTORY …
// Names each file before it is run, so that the last name is the one that failed; the input that was run last lies in ./fuzz_NAME.input.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" __attribute__((weak)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed);

namespace {

using Input = std::vector<std::uint8_t>;
constexpr std::size_t kMostBytes = 64U << 10U;

std::minstd_rand& generator() {
  static std::minstd_rand numbers(1);
  return numbers;
}
std::size_t below(std::size_t limit) { return limit == 0 ? 0 : generator()() % limit; }

void run(const Input& input) {
  std::ofstream(std::string(program_invocation_short_name) + ".input", std::ios::binary)
      .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
  const Input exact(input.begin(), input.end());  // an allocation of just this size: a sanitizer sees what reads behind its end
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

Input read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

// libFuzzer's, in small.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size) {
  const std::size_t at = below(size);
  const auto byte = static_cast<std::uint8_t>(below(256));
  switch (size == 0 ? 0 : below(4)) {
    case 0:
      if (size == max_size) return size;
      std::memmove(data + at + 1, data + at, size - at);
      data[at] = byte;
      return size + 1;
    case 1:
      std::memmove(data + at, data + at + 1, size - at - 1);
      return size - 1;
    case 2: data[at] = static_cast<std::uint8_t>(data[at] ^ 1U << (byte % 8U)); return size;
    default: std::memset(data + at, byte, std::min<std::size_t>(size - at, std::size_t{1} << below(4))); return size;
  }
}

namespace {

void run_mutations(const Input& seed, unsigned count) {
  constexpr unsigned kInSuccession = 8;
  Input input;
  for (unsigned i = 0; i < count; ++i) {
    if (i % kInSuccession == 0) input = seed;
    const std::size_t size = input.size();
    input.resize(std::max(kMostBytes, size));
    const auto number = static_cast<unsigned>(generator()());
    input.resize(LLVMFuzzerCustomMutator != nullptr ? LLVMFuzzerCustomMutator(input.data(), size, input.size(), number)
                                                    : LLVMFuzzerMutate(input.data(), size, input.size()));
    run(input);
  }
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view kOption = "-mutations=";
  unsigned mutations = 0;
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument.starts_with(kOption)) {
      mutations = static_cast<unsigned>(std::stoul(std::string(argument.substr(kOption.size()))));
    } else if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
    } else {
      files.emplace_back(argument);
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    const Input input = read(file);
    run(input);
    run_mutations(input, mutations);
  }
  std::printf("%zu files, %u mutations of each\n", files.size(), mutations);
  return files.empty() ? 1 : 0;
}
