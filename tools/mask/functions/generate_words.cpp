#include "tools/mask/functions/person.h"

namespace branchfs::mask {
namespace {

BRANCHFS_LIST(kLorem, ' ',
R"(lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua
enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in
reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat cupidatat non proident sunt culpa
qui officia deserunt mollit anim id est laborum)");

void word(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put(lorem_word(draw));
}

constexpr Generator kTable[] = {
    {"dummy_word", word, true, Uniqueness::extended, 16, "a word without meaning"},
};

}  // namespace

std::string_view lorem_word(Draw& draw) { return kLorem[draw.below(kLorem.size())]; }

std::span<const Generator> word_generators() { return kTable; }

}  // namespace branchfs::mask
