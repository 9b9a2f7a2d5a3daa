#include "tools/mask/functions/person.h"

namespace branchfs::mask {
namespace {

BRANCHFS_LIST(
    kLorem, ' ',
    R"(lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua
enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in
reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat cupidatat non proident sunt culpa
qui officia deserunt mollit anim id est laborum)");

void word(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put(lorem_word(draw));
}

BRANCHFS_LIST(kExtensions, ' ',
              "avi bmp csv doc docx gif html ico jpg json log md mp3 mp4 odp ods odt ogg pdf png pptx svg "
              "tar tif txt wav webp xlsx xml zip");
BRANCHFS_LIST(kFolders, ' ',
              "archive backup cache data docs downloads drafts export files home import inbox media misc "
              "notes old pictures projects public "
              "reports scans shared temp users videos work");

std::string_view pick(const List& list, Draw& draw) { return list[draw.below(list.size())]; }

void file_extension(const Call& call, Writer& out) {
  Draw draw = call.draw();
  out.put(pick(kExtensions, draw));
}
void put_file(Draw& draw, Writer& out) {
  out.put(lorem_word(draw));
  out.put('_');
  out.put(lorem_word(draw));
  out.put('.');
  out.put(pick(kExtensions, draw));
}
void put_folders(Draw& draw, Writer& out) {
  for (int i = 0; i < 3; ++i) {
    out.put('/');
    out.put(pick(kFolders, draw));
  }
}
void file_name(const Call& call, Writer& out) {
  Draw draw = call.draw();
  put_file(draw, out);
}
void dir_path(const Call& call, Writer& out) {
  Draw draw = call.draw();
  put_folders(draw, out);
}
void file_path(const Call& call, Writer& out) {
  Draw draw = call.draw();
  put_folders(draw, out);
  out.put('/');
  put_file(draw, out);
}

constexpr Generator kTable[] = {
    {"dummy_dir_path", dir_path, true, Uniqueness::extended, 40, "the path of a directory"},
    {"dummy_file_extension", file_extension, true, Uniqueness::lossy, 4, "what a file name ends with"},
    {"dummy_file_name", file_name, true, Uniqueness::extended, 40, "the name of a file"},
    {"dummy_file_path", file_path, true, Uniqueness::extended, 80, "the path of a file"},
    {"dummy_word", word, true, Uniqueness::extended, 16, "a word without meaning"},
};

}  // namespace

std::string_view lorem_word(Draw& draw) { return kLorem[draw.below(kLorem.size())]; }

std::span<const List> word_lists() {
  static constexpr List kLists[] = {kLorem, kExtensions, kFolders};
  return kLists;
}

std::span<const Generator> word_generators() { return kTable; }

}  // namespace branchfs::mask
