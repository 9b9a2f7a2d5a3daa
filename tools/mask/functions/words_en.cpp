#include "tools/mask/functions/words.h"

namespace branchfs::mask {
namespace {

BRANCHFS_LIST(kFirst, ' ', R"(James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara)");
BRANCHFS_LIST(kLast, ' ', R"(Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Thomas Moore)");
BRANCHFS_LIST(kTitles, ' ', R"(Mr. Mrs. Ms. Miss Dr. Prof.)");
BRANCHFS_LIST(kSuffixes, ' ', R"(Jr. Sr. II III IV MD PhD DDS Esq.)");
BRANCHFS_LIST(kCityHeads, ' ', R"(Ash Birch Brook Clear Cedar)");
BRANCHFS_LIST(kCityTails, ' ', R"(ford ton bury field wood)");
BRANCHFS_LIST(kStreetHeads, ' ', R"(Maple Oak Pine Cedar Elm)");
BRANCHFS_LIST(kStreetTails, ' ', R"(Street Avenue Road Lane Drive)");
BRANCHFS_LIST(kCompanyHeads, ' ', R"(Bright North Silver Green Summit)");
BRANCHFS_LIST(kCompanyTails, ';', R"(Systems;Trading;Logistics)");
BRANCHFS_LIST(kCountries, ';', R"(France;Germany;Spain;Italy;Portugal;New Zealand)");

}  // namespace

Dictionary english() {
  Dictionary words;
  words.first_names = kFirst;
  words.last_names = kLast;
  words.titles = kTitles;
  words.name_suffixes = kSuffixes;
  words.cities = {kCityHeads, kCityTails, ""};
  words.streets = {kStreetHeads, kStreetTails, " "};
  words.companies = {kCompanyHeads, kCompanyTails, " "};
  words.countries = kCountries;
  return words;
}

}  // namespace branchfs::mask
