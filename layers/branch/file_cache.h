// Open data files of the deltas of one view, at most `capacity` at once, least recently used closed first.
//
// A file in use stays open through its shared_ptr. All are closed where the process has no descriptor left for something else. Owner:
// View. Threads: any.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "layers/io/descriptors.h"
#include "layers/io/env.h"

namespace branchfs {

class FileCache {
 public:
  explicit FileCache(std::size_t capacity) : capacity_(capacity) {}

  struct Key {
    std::size_t delta = 0;
    Ino ino;
    bool operator==(const Key&) const = default;
  };

  // Null when it is not in the cache.
  std::shared_ptr<File> find(const Key& key) {
    std::lock_guard lock(mutex_);
    auto it = entries_.find(key);
    if (it == entries_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return it->second->file;
  }
  void add(const Key& key, std::shared_ptr<File> file) {
    std::shared_ptr<File> closed;  // closes after the lock is released
    std::lock_guard lock(mutex_);
    if (auto it = entries_.find(key); it != entries_.end()) order_.erase(it->second);
    order_.push_front({key, std::move(file)});
    entries_[key] = order_.begin();
    if (order_.size() > capacity_) {
      closed = std::move(order_.back().file);
      entries_.erase(order_.back().key);
      order_.pop_back();
    }
  }
  void drop(const Key& key) {
    std::lock_guard lock(mutex_);
    auto it = entries_.find(key);
    if (it == entries_.end()) return;
    order_.erase(it->second);
    entries_.erase(it);
  }

  // False when there was nothing to close.
  bool clear() {
    std::list<Entry> closed;  // closes after the lock is released
    std::lock_guard lock(mutex_);
    entries_.clear();
    closed.swap(order_);
    return !closed.empty();
  }

 private:
  struct Hash {
    std::size_t operator()(const Key& k) const noexcept { return std::hash<Ino>{}(k.ino) ^ (k.delta * 0x9E3779B9U); }
  };
  struct Entry {
    Key key;
    std::shared_ptr<File> file;
  };
  std::size_t capacity_;
  std::mutex mutex_;
  std::list<Entry> order_;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> entries_;
  SpareDescriptors spare_{[this] { return clear(); }};  // last: it goes first
};

}  // namespace branchfs
