// A referee in the place of Windows' vssapi.dll: it knows the documented order of a requester's calls and its duties, from
// mingw-w64's own vsbackup.h, and hands out "snapshots" that are copies.
//
// In the folder that ECTYPE_VSS_REFEREE names:
//   control    what there is and what is to fail, a line each (below)
//   log        every call as it comes, and every deviation: "DEVIATION what"
//   snapshots  what is held: "SET SNAPSHOT ATTRIBUTES DEVICE VOLUME"; a requester that is released takes its own out
//
// Lines of control, their words parted by tabs:
//   volume NAME BACKING COPY DEVICE   a volume, with its backslash; DoSnapshotSet copies BACKING to COPY, to be read at DEVICE
//   unsupported NAME                  a volume of which there are no snapshots
//   writer NAME                       a writer that is well
//   ill NAME STEP STATE CODE TIMES    a writer that fails after STEP so many times
//   fail CALL CODE TIMES              CALL fails at once, so many times
//   fails STEP CODE TIMES             STEP begins, and fails in the end
//   slow STEP MILLISECONDS            STEP takes so long
//   signal STEP FILE                  FILE appears when STEP has begun
//   change FILE OFFSET LENGTH         once the snapshots are made, these bytes of FILE are other ones
//   lost AFTER                        after so many questions the snapshots are gone
//   round NUMBER                      with another number all counting begins anew

#include <windows.h>
#include <ole2.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>
#include <vsserror.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace {

std::string folder() {
    char path[4096];
    DWORD len = GetEnvironmentVariableA("ECTYPE_VSS_REFEREE", path, sizeof path);
    return std::string(path, len < sizeof path ? len : 0);
}

void line(const char* name, const std::string& text) {
    FILE* file = fopen((folder() + "/" + name).c_str(), "ab");
    if (!file) return;
    fprintf(file, "%s\n", text.c_str());
    fclose(file);
}

std::string format(const char* form, ...) {
    char text[1024];
    va_list args;
    va_start(args, form);
    vsnprintf(text, sizeof text, form, args);
    va_end(args);
    return text;
}

std::vector<std::string> lines(const char* name) {
    std::vector<std::string> found;
    FILE* file = fopen((folder() + "/" + name).c_str(), "rb");
    if (!file) return found;
    std::string all;
    char part[4096];
    size_t count;
    while ((count = fread(part, 1, sizeof part, file)) > 0) all.append(part, count);
    fclose(file);
    size_t from = 0, to;
    while ((to = all.find('\n', from)) != std::string::npos) {
        std::string one = all.substr(from, to - from);
        if (!one.empty() && one.back() == '\r') one.pop_back();
        if (!one.empty()) found.push_back(one);
        from = to + 1;
    }
    return found;
}

std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> found;
    size_t from = 0, to;
    while ((to = text.find('\t', from)) != std::string::npos) {
        found.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    found.push_back(text.substr(from));
    return found;
}

// The lines of control of one kind, without their first word.
std::vector<std::vector<std::string>> control(const char* kind) {
    std::vector<std::vector<std::string>> found;
    for (auto& text : lines("control")) {
        auto all = words(text);
        if (all[0] == kind) found.emplace_back(all.begin() + 1, all.end());
    }
    return found;
}

HRESULT code(const std::string& text) { return (HRESULT)strtoul(text.c_str(), nullptr, 16); }

std::string narrow(const wchar_t* text) {
    std::string all;
    for (; text && *text; ++text) all.push_back((char)*text);
    return all;
}

VSS_PWSZ copied(const std::string& text) {
    VSS_PWSZ all = (VSS_PWSZ)CoTaskMemAlloc((text.size() + 1) * sizeof(wchar_t));
    for (size_t i = 0; i <= text.size(); ++i) all[i] = i < text.size() ? (unsigned char)text[i] : 0;
    return all;
}

std::string shown(const GUID& id) {
    return format("{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", (unsigned long)id.Data1, id.Data2, id.Data3,
                  id.Data4[0], id.Data4[1], id.Data4[2], id.Data4[3], id.Data4[4], id.Data4[5], id.Data4[6], id.Data4[7]);
}

GUID parsed(const std::string& text) {
    GUID id = {};
    wchar_t wide[64] = {};
    for (size_t i = 0; i < text.size() && i < 63; ++i) wide[i] = text[i];
    CLSIDFromString(wide, &id);
    return id;
}

CRITICAL_SECTION gate;
std::map<std::string, int> spent;
int requesters = 0, pendings = 0, enums = 0, properties = 0;
unsigned asked = 0;
// Only one set is made at a time, machine-wide.
void* in_progress = nullptr;

void deviation(const std::string& what) { line("log", "DEVIATION " + what); }

// Whether a line that says "so many times" still counts.
bool counts(const std::string& key, const std::string& times) {
    return spent[key]++ < atoi(times.c_str());
}

bool is_null(const GUID& id) { return IsEqualGUID(id, GUID{}); }

bool copy_file(const std::string& from, const std::string& to) {
    FILE* in = fopen(from.c_str(), "rb");
    FILE* out = fopen(to.c_str(), "r+b");
    if (!out) out = fopen(to.c_str(), "wb");
    bool done = in && out;
    std::vector<char> part(1 << 20);
    size_t count;
    while (done && (count = fread(part.data(), 1, part.size(), in)) > 0) done = fwrite(part.data(), 1, count, out) == count;
    if (in) fclose(in);
    if (out) done = fclose(out) == 0 && done;
    return done;
}

// As those do who go on working.
void change_file(const std::string& name, long offset, long len) {
    FILE* file = fopen(name.c_str(), "r+b");
    std::vector<char> part(len);
    if (!file) return;
    fseek(file, offset, SEEK_SET);
    size_t count = fread(part.data(), 1, part.size(), file);
    for (auto& byte : part) byte = (char)~byte;
    fseek(file, offset, SEEK_SET);
    fwrite(part.data(), 1, count, file);
    fclose(file);
}

struct Held {
    GUID set, id;
    long attributes;
    std::string device, volume;
};

std::vector<Held> held() {
    std::vector<Held> all;
    for (auto& text : lines("snapshots")) {
        auto word = words(text);
        if (word.size() == 5) all.push_back({parsed(word[0]), parsed(word[1]), atol(word[2].c_str()), word[3], word[4]});
    }
    return all;
}

void hold(const std::vector<Held>& all) {
    FILE* file = fopen((folder() + "/snapshots").c_str(), "wb");
    if (!file) return;
    for (auto& one : all)
        fprintf(file, "%s\t%s\t%ld\t%s\t%s\n", shown(one.set).c_str(), shown(one.id).c_str(), one.attributes,
                one.device.c_str(), one.volume.c_str());
    fclose(file);
}

size_t drop_set(const GUID& set) {
    auto all = held();
    size_t before = all.size();
    all.erase(std::remove_if(all.begin(), all.end(), [&](const Held& one) { return IsEqualGUID(one.set, set); }), all.end());
    if (all.size() != before) hold(all);
    return before - all.size();
}

void fill(const Held& one, long count, VSS_SNAPSHOT_PROP* prop) {
    memset(prop, 0, sizeof *prop);
    prop->m_SnapshotId = one.id;
    prop->m_SnapshotSetId = one.set;
    prop->m_lSnapshotsCount = count;
    prop->m_pwszSnapshotDeviceObject = copied(one.device);
    prop->m_pwszOriginalVolumeName = copied(one.volume);
    prop->m_pwszOriginatingMachine = copied("referee");
    prop->m_pwszServiceMachine = copied("referee");
    prop->m_lSnapshotAttributes = one.attributes;
    prop->m_eStatus = VSS_SS_CREATED;
    ++properties;
}

struct Requester;

struct Pending final : IVssAsync {
    LONG count = 1;
    Requester* of;
    std::string step;
    DWORD due;
    bool over = false, seen = false;
    HRESULT result = VSS_S_ASYNC_PENDING;

    Pending(Requester* of, const std::string& step);
    void settle();
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID id, void** to) override {
        *to = nullptr;
        if (!IsEqualGUID(id, IID_IUnknown)) return E_NOINTERFACE;
        *to = this;
        AddRef();
        return S_OK;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return InterlockedIncrement(&count); }
    ULONG STDMETHODCALLTYPE Release() override;
    HRESULT STDMETHODCALLTYPE Cancel() override;
    HRESULT STDMETHODCALLTYPE Wait(DWORD most) override {
        DWORD until = GetTickCount() + most;
        for (;;) {
            EnterCriticalSection(&gate);
            settle();
            bool done = over;
            LeaveCriticalSection(&gate);
            if (done || (most != INFINITE && (int)(until - GetTickCount()) <= 0)) return S_OK;
            Sleep(5);
        }
    }
    HRESULT STDMETHODCALLTYPE QueryStatus(HRESULT* status, INT* reserved) override {
        if (!status) return E_INVALIDARG;
        if (reserved) *reserved = 0;
        EnterCriticalSection(&gate);
        settle();
        *status = result;
        seen = seen || over;
        LeaveCriticalSection(&gate);
        return S_OK;
    }
};

struct Enum final : IVssEnumObject {
    LONG count = 1;
    std::vector<Held> all;
    size_t next = 0;
    Enum(std::vector<Held> all) : all(all) { ++enums; }
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void** to) override { *to = nullptr; return E_NOINTERFACE; }
    ULONG STDMETHODCALLTYPE AddRef() override { return InterlockedIncrement(&count); }
    ULONG STDMETHODCALLTYPE Release() override {
        LONG left = InterlockedDecrement(&count);
        if (!left) { --enums; delete this; }
        return left;
    }
    HRESULT STDMETHODCALLTYPE Next(ULONG want, VSS_OBJECT_PROP* to, ULONG* got) override {
        if (!to || !got || !want) return E_INVALIDARG;
        *got = 0;
        while (*got < want && next < all.size()) {
            to[*got].Type = VSS_OBJECT_SNAPSHOT;
            fill(all[next++], 1, &to[(*got)++].Obj.Snap);
        }
        return *got == want ? S_OK : S_FALSE;
    }
    HRESULT STDMETHODCALLTYPE Skip(ULONG) override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE Reset() override { return E_NOTIMPL; }
    HRESULT STDMETHODCALLTYPE Clone(IVssEnumObject**) override { return E_NOTIMPL; }
};

enum Stage {
    CREATED, INITIALIZED, IN_CONTEXT, IN_STATE, TOLD, FREED, STARTED, PREPARED, PREPARED_WELL, MADE, MADE_WELL, COMPLETE,
    COMPLETE_WELL, FAILED_TO_MAKE, ABORTED
};
const char* const STAGES[] = {"creation", "InitializeForBackup", "SetContext", "SetBackupState", "GatherWriterMetadata",
                              "FreeWriterMetadata", "StartSnapshotSet", "PrepareForBackup", "its writers' status",
                              "DoSnapshotSet", "its writers' status", "BackupComplete", "its writers' status",
                              "a failed DoSnapshotSet", "AbortBackup"};

#define NEVER(name, ...) \
    HRESULT STDMETHODCALLTYPE name(__VA_ARGS__) override { deviation(#name " has no place in this backup"); return E_NOTIMPL; }

struct Requester final : IVssBackupComponents {
    LONG count = 1;
    Stage stage = CREATED;
    bool listing = false, counted = false;
    Pending* pending = nullptr;
    GUID set = {};
    std::vector<Held> members;
    // Of the status that was gathered last: after which step, and how many writers were looked at.
    std::string after;
    bool gathered = false;
    std::vector<bool> looked;

    Requester() { ++requesters; }

    // A call in its place: the stages in which it may come. False where it fails; `answer` is what it answers then.
    bool call(const char* name, std::vector<Stage> where, HRESULT* answer) {
        line("log", std::string("call ") + name);
        if (pending && !pending->over) {
            deviation(format("%s while %s is under way", name, pending->step.c_str()));
            *answer = VSS_E_BAD_STATE;
            return false;
        }
        if (std::find(where.begin(), where.end(), stage) == where.end()) {
            deviation(format("%s after %s", name, STAGES[stage]));
            *answer = VSS_E_BAD_STATE;
            return false;
        }
        if (gathered && stage != ABORTED && std::string(name).find("WriterStatus") == std::string::npos &&
            std::string(name) != "AbortBackup") {
            deviation(format("%s before FreeWriterStatus", name));
            *answer = VSS_E_BAD_STATE;
            return false;
        }
        for (auto& rule : control("fail"))
            if (rule.size() == 3 && rule[0] == name && counts("fail " + rule[0] + rule[1], rule[2])) {
                *answer = code(rule[1]);
                line("log", std::string("failed ") + name + " " + rule[1]);
                return false;
            }
        return true;
    }

    HRESULT begin(const char* name, std::vector<Stage> where, IVssAsync** to) {
        HRESULT answer = S_OK;
        if (!to) { deviation(std::string(name) + " without a place for its answer"); return E_INVALIDARG; }
        *to = nullptr;
        if (!call(name, where, &answer)) {
            if (stage == PREPARED_WELL && std::string(name) == "DoSnapshotSet") failed_to_make();
            return answer;
        }
        *to = pending = new Pending(this, name);
        return S_OK;
    }

    void failed_to_make() {
        stage = FAILED_TO_MAKE;
        if (in_progress == this) in_progress = nullptr;
    }

    // A step came to its end.
    HRESULT done(const std::string& step) {
        for (auto& rule : control("fails"))
            if (rule.size() == 3 && rule[0] == step && counts("fails " + rule[0] + rule[1], rule[2])) {
                line("log", "failed in the end " + step + " " + rule[1]);
                if (step == "DoSnapshotSet") failed_to_make();
                return code(rule[1]);
            }
        if (step == "GatherWriterMetadata") stage = TOLD;
        if (step == "PrepareForBackup") stage = PREPARED;
        if (step == "BackupComplete") stage = COMPLETE;
        if (step == "GatherWriterStatus") {
            gathered = true;
            counted = false;
            looked.assign(writers().size(), false);
        }
        if (step == "DoSnapshotSet") {
            auto all = held();
            for (auto& one : members) {
                bool copied = false;
                for (auto& volume : control("volume"))
                    if (volume[0] == one.volume) copied = copy_file(volume[1], volume[2]);
                if (!copied) {
                    line("log", "cannot copy " + one.volume);
                    failed_to_make();
                    return VSS_E_UNEXPECTED_PROVIDER_ERROR;
                }
                all.push_back(one);
            }
            hold(all);
            for (auto& rule : control("change")) change_file(rule[0], atol(rule[1].c_str()), atol(rule[2].c_str()));
            stage = MADE;
            in_progress = nullptr;
            line("log", format("made %u", (unsigned)members.size()));
        }
        if (step != "GatherWriterStatus") after = step;
        return VSS_S_ASYNC_FINISHED;
    }

    struct Ill { std::string name; long state; HRESULT failure; };
    std::vector<Ill> writers() {
        std::vector<Ill> all;
        for (auto& rule : control("writer")) all.push_back({rule[0], VSS_WS_STABLE, S_OK});
        for (auto& rule : control("ill"))
            if (rule.size() == 5 && rule[1] == after) {
                std::string key = "ill " + rule[0] + rule[1];
                bool is_ill = spent[key] < atoi(rule[4].c_str());
                all.push_back({rule[0], is_ill ? atol(rule[2].c_str()) : VSS_WS_STABLE, is_ill ? code(rule[3]) : S_OK});
            }
        return all;
    }

    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void** to) override { *to = nullptr; return E_NOINTERFACE; }
    ULONG STDMETHODCALLTYPE AddRef() override { return InterlockedIncrement(&count); }
    ULONG STDMETHODCALLTYPE Release() override {
        LONG left = InterlockedDecrement(&count);
        if (left) return left;
        line("log", "call Release");
        if (pending) deviation("Release while " + pending->step + " is held");
        if (stage == COMPLETE) deviation("Release before the writers were asked after BackupComplete");
        if (stage >= STARTED && stage < COMPLETE) deviation(format("Release after %s, without AbortBackup", STAGES[stage]));
        if (stage == FAILED_TO_MAKE) deviation("Release after a failed DoSnapshotSet, without AbortBackup");
        if (in_progress == this) in_progress = nullptr;
        if (!is_null(set) && drop_set(set)) line("log", "snapshots gone");
        --requesters;
        if (!requesters) {
            if (pendings) deviation(format("%d steps leaked", pendings));
            if (enums) deviation(format("%d lists leaked", enums));
            if (properties) deviation(format("%d properties leaked", properties));
            line("log", "nothing held");
        }
        delete this;
        return 0;
    }

    HRESULT STDMETHODCALLTYPE InitializeForBackup(BSTR xml) override {
        HRESULT answer = S_OK;
        if (!call("InitializeForBackup", {CREATED}, &answer)) return answer;
        if (xml) deviation("InitializeForBackup with a document of another backup");
        stage = INITIALIZED;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE SetContext(LONG context) override {
        HRESULT answer = S_OK;
        if (!call("SetContext", {INITIALIZED}, &answer)) return answer;
        if (context != VSS_CTX_BACKUP && context != (LONG)VSS_CTX_ALL) {
            deviation(format("SetContext(%lx)", (long)context));
            return E_INVALIDARG;
        }
        listing = context == (LONG)VSS_CTX_ALL;
        stage = IN_CONTEXT;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE SetBackupState(boolean select, boolean bootable, VSS_BACKUP_TYPE type, boolean partial) override {
        HRESULT answer = S_OK;
        if (!call("SetBackupState", {IN_CONTEXT}, &answer)) return answer;
        if (select != 0 || bootable != 1 || type != VSS_BT_COPY || partial != 0 || listing) {
            deviation(format("SetBackupState(%d, %d, %d, %d)", select, bootable, type, partial));
            return E_INVALIDARG;
        }
        stage = IN_STATE;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GatherWriterMetadata(IVssAsync** to) override { return begin("GatherWriterMetadata", {IN_STATE}, to); }
    HRESULT STDMETHODCALLTYPE FreeWriterMetadata() override {
        HRESULT answer = S_OK;
        if (!call("FreeWriterMetadata", {TOLD}, &answer)) return answer;
        stage = FREED;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE StartSnapshotSet(VSS_ID* to) override {
        HRESULT answer = S_OK;
        if (!to) return E_INVALIDARG;
        if (!call("StartSnapshotSet", {FREED}, &answer)) return answer;
        if (in_progress) return VSS_E_SNAPSHOT_SET_IN_PROGRESS;
        in_progress = this;
        CoCreateGuid(&set);
        *to = set;
        stage = STARTED;
        return S_OK;
    }
    static bool is_named(const char* call, VSS_PWSZ name) {
        std::string volume = narrow(name);
        if (volume.size() > 1 && volume.back() == '\\' && volume[volume.size() - 2] != '\\') return true;
        deviation(std::string(call) + " of " + volume + ", which does not end as it must");
        return false;
    }
    static bool is_there(const std::string& name) {
        for (auto& volume : control("volume"))
            if (volume[0] == name) return true;
        for (auto& volume : control("unsupported"))
            if (volume[0] == name) return true;
        return false;
    }
    HRESULT STDMETHODCALLTYPE IsVolumeSupported(VSS_ID provider, VSS_PWSZ name, WINBOOL* to) override {
        HRESULT answer = S_OK;
        if (!to || !is_named("IsVolumeSupported", name)) return E_INVALIDARG;
        *to = FALSE;
        if (!call("IsVolumeSupported", {STARTED}, &answer)) return answer;
        if (!is_null(provider)) { deviation("IsVolumeSupported by a provider of its own"); return E_INVALIDARG; }
        std::string volume = narrow(name);
        if (!is_there(volume)) return VSS_E_OBJECT_NOT_FOUND;
        *to = TRUE;
        for (auto& other : control("unsupported"))
            if (other[0] == volume) *to = FALSE;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE AddToSnapshotSet(VSS_PWSZ name, VSS_ID provider, VSS_ID* to) override {
        HRESULT answer = S_OK;
        if (!to || !is_named("AddToSnapshotSet", name)) return E_INVALIDARG;
        if (!call("AddToSnapshotSet", {STARTED}, &answer)) return answer;
        if (!is_null(provider)) { deviation("AddToSnapshotSet with a provider of its own"); return E_INVALIDARG; }
        std::string volume = narrow(name);
        for (auto& other : control("unsupported"))
            if (other[0] == volume) return VSS_E_VOLUME_NOT_SUPPORTED;
        for (auto& one : members)
            if (one.volume == volume) { deviation("AddToSnapshotSet of " + volume + " again"); return VSS_E_OBJECT_ALREADY_EXISTS; }
        for (auto& one : control("volume"))
            if (one[0] == volume) {
                Held made = {set, {}, 0, one[3], volume};
                CoCreateGuid(&made.id);
                members.push_back(made);
                *to = made.id;
                return S_OK;
            }
        return VSS_E_OBJECT_NOT_FOUND;
    }
    HRESULT STDMETHODCALLTYPE PrepareForBackup(IVssAsync** to) override {
        if (stage == STARTED && members.empty()) deviation("PrepareForBackup of nothing");
        return begin("PrepareForBackup", {STARTED}, to);
    }
    HRESULT STDMETHODCALLTYPE DoSnapshotSet(IVssAsync** to) override { return begin("DoSnapshotSet", {PREPARED_WELL}, to); }
    HRESULT STDMETHODCALLTYPE BackupComplete(IVssAsync** to) override { return begin("BackupComplete", {MADE_WELL}, to); }
    HRESULT STDMETHODCALLTYPE GatherWriterStatus(IVssAsync** to) override {
        if (gathered) deviation("GatherWriterStatus before FreeWriterStatus");
        return begin("GatherWriterStatus", {PREPARED, MADE, COMPLETE, FAILED_TO_MAKE}, to);
    }
    HRESULT STDMETHODCALLTYPE GetWriterStatusCount(UINT* to) override {
        HRESULT answer = S_OK;
        if (!to) return E_INVALIDARG;
        if (!call("GetWriterStatusCount", {PREPARED, MADE, COMPLETE, FAILED_TO_MAKE}, &answer)) return answer;
        if (!gathered) { deviation("GetWriterStatusCount before GatherWriterStatus"); return VSS_E_BAD_STATE; }
        counted = true;
        *to = (UINT)looked.size();
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetWriterStatus(UINT index, VSS_ID* instance, VSS_ID* writer, BSTR* name, VSS_WRITER_STATE* state,
                                              HRESULT* failure) override {
        HRESULT answer = S_OK;
        if (!instance || !writer || !name || !state || !failure) return E_INVALIDARG;
        if (!call("GetWriterStatus", {PREPARED, MADE, COMPLETE, FAILED_TO_MAKE}, &answer)) {
            looked.clear();
            return answer;
        }
        auto all = writers();
        if (!gathered || index >= all.size()) { deviation("GetWriterStatus of none"); return VSS_E_OBJECT_NOT_FOUND; }
        looked[index] = true;
        std::wstring wide(all[index].name.begin(), all[index].name.end());
        *instance = *writer = {};
        writer->Data1 = instance->Data1 = index + 1;
        *name = SysAllocString(wide.c_str());
        *state = (VSS_WRITER_STATE)all[index].state;
        *failure = all[index].failure;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE FreeWriterStatus() override {
        HRESULT answer = S_OK;
        if (!call("FreeWriterStatus", {PREPARED, MADE, COMPLETE, FAILED_TO_MAKE}, &answer)) return answer;
        if (!gathered) deviation("FreeWriterStatus of none");
        if (!counted || std::find(looked.begin(), looked.end(), false) != looked.end()) deviation("a writer was not looked at");
        for (auto& rule : control("ill"))
            if (rule.size() == 5 && rule[1] == after) ++spent["ill " + rule[0] + rule[1]];
        gathered = false;
        if (stage == PREPARED) stage = PREPARED_WELL;
        if (stage == MADE) stage = MADE_WELL;
        if (stage == COMPLETE) stage = COMPLETE_WELL;
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE GetSnapshotProperties(VSS_ID id, VSS_SNAPSHOT_PROP* to) override {
        HRESULT answer = S_OK;
        if (!to) return E_INVALIDARG;
        if (!call("GetSnapshotProperties", {MADE_WELL, COMPLETE_WELL}, &answer)) return answer;
        for (auto& rule : control("lost"))
            if (asked++ >= (unsigned)atoi(rule[0].c_str())) {
                line("log", "lost");
                return VSS_E_OBJECT_NOT_FOUND;
            }
        for (auto& one : held())
            if (IsEqualGUID(one.id, id)) { fill(one, (long)members.size(), to); return S_OK; }
        return VSS_E_OBJECT_NOT_FOUND;
    }
    HRESULT STDMETHODCALLTYPE Query(VSS_ID id, VSS_OBJECT_TYPE of, VSS_OBJECT_TYPE wanted, IVssEnumObject** to) override {
        HRESULT answer = S_OK;
        if (!to) return E_INVALIDARG;
        if (!call("Query", {IN_CONTEXT}, &answer)) return answer;
        if (!is_null(id) || of != VSS_OBJECT_NONE || wanted != VSS_OBJECT_SNAPSHOT || !listing) {
            deviation("Query of something else");
            return E_INVALIDARG;
        }
        auto all = held();
        if (all.empty()) return VSS_E_OBJECT_NOT_FOUND;
        *to = new Enum(all);
        return S_OK;
    }
    HRESULT STDMETHODCALLTYPE DeleteSnapshots(VSS_ID id, VSS_OBJECT_TYPE of, WINBOOL, LONG* deleted, VSS_ID* left) override {
        HRESULT answer = S_OK;
        if (!deleted || !left) return E_INVALIDARG;
        if (!call("DeleteSnapshots", {IN_CONTEXT}, &answer)) return answer;
        if (of != VSS_OBJECT_SNAPSHOT_SET || !listing) { deviation("DeleteSnapshots of something else"); return E_INVALIDARG; }
        *deleted = (LONG)drop_set(id);
        *left = {};
        return *deleted ? S_OK : VSS_E_OBJECT_NOT_FOUND;
    }
    HRESULT STDMETHODCALLTYPE AbortBackup() override {
        line("log", "call AbortBackup");
        if (pending && !pending->over) deviation("AbortBackup while " + pending->step + " is under way");
        if (stage < INITIALIZED) { deviation("AbortBackup before InitializeForBackup"); return VSS_E_BAD_STATE; }
        if (stage == ABORTED) deviation("AbortBackup again");
        if (stage == COMPLETE_WELL) deviation("AbortBackup of a backup that is complete");
        if (in_progress == this) in_progress = nullptr;
        gathered = false;
        stage = ABORTED;
        return S_OK;
    }

    NEVER(GetWriterComponentsCount, UINT*)
    NEVER(GetWriterComponents, UINT, IVssWriterComponentsExt**)
    NEVER(InitializeForRestore, BSTR)
    NEVER(SetRestoreState, VSS_RESTORE_TYPE)
    NEVER(GetWriterMetadataCount, UINT*)
    NEVER(GetWriterMetadata, UINT, VSS_ID*, IVssExamineWriterMetadata**)
    NEVER(AddComponent, VSS_ID, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR)
    NEVER(SetBackupSucceeded, VSS_ID, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetBackupOptions, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR)
    NEVER(SetSelectedForRestore, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetRestoreOptions, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR)
    NEVER(SetAdditionalRestores, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetPreviousBackupStamp, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR)
    NEVER(SaveAsXML, BSTR*)
    NEVER(AddAlternativeLocationMapping, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, boolean, LPCWSTR)
    NEVER(AddRestoreSubcomponent, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, boolean)
    NEVER(SetFileRestoreStatus, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, VSS_FILE_RESTORE_STATUS)
    NEVER(AddNewTarget, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, boolean, LPCWSTR)
    NEVER(SetRangesFilePath, VSS_ID, VSS_COMPONENT_TYPE, LPCWSTR, LPCWSTR, UINT, LPCWSTR)
    NEVER(PreRestore, IVssAsync**)
    NEVER(PostRestore, IVssAsync**)
    NEVER(ImportSnapshots, IVssAsync**)
    NEVER(BreakSnapshotSet, VSS_ID)
    NEVER(DisableWriterClasses, const VSS_ID*, UINT)
    NEVER(EnableWriterClasses, const VSS_ID*, UINT)
    NEVER(DisableWriterInstances, const VSS_ID*, UINT)
    NEVER(ExposeSnapshot, VSS_ID, VSS_PWSZ, LONG, VSS_PWSZ, VSS_PWSZ*)
    NEVER(RevertToSnapshot, VSS_ID, WINBOOL)
    NEVER(QueryRevertStatus, VSS_PWSZ, IVssAsync**)
};

Pending::Pending(Requester* of, const std::string& step) : of(of), step(step), due(GetTickCount()) {
    ++pendings;
    for (auto& rule : control("slow"))
        if (rule[0] == step) due += atoi(rule[1].c_str());
    for (auto& rule : control("signal"))
        if (rule[0] == step)
            if (FILE* file = fopen(rule[1].c_str(), "wb")) fclose(file);
}

void Pending::settle() {
    if (over || (int)(GetTickCount() - due) < 0) return;
    result = of->done(step);
    over = true;
}

HRESULT Pending::Cancel() {
    line("log", "cancelled " + step);
    if (over) return VSS_S_ASYNC_FINISHED;
    over = true;
    result = VSS_S_ASYNC_CANCELLED;
    if (step == "DoSnapshotSet") of->failed_to_make();
    return S_OK;
}

ULONG Pending::Release() {
    LONG left = InterlockedDecrement(&count);
    if (left) return left;
    if (!over) deviation(step + " was let go before its end");
    else if (!seen) deviation("the end of " + step + " was not looked at");
    of->pending = nullptr;
    --pendings;
    delete this;
    return 0;
}

}  // namespace

extern "C" {

HRESULT STDAPICALLTYPE CreateVssBackupComponentsInternal(IVssBackupComponents** to) {
    line("log", "call CreateVssBackupComponents");
    if (!to) return E_INVALIDARG;
    *to = nullptr;
    static std::string round;
    for (auto& rule : control("round"))
        if (rule[0] != round) {
            round = rule[0];
            spent.clear();
            asked = 0;
        }
    APTTYPE type;
    APTTYPEQUALIFIER how;
    if (CoGetApartmentType(&type, &how) != S_OK || type != APTTYPE_MTA) deviation("a thread that is not in the common apartment");
    for (auto& rule : control("fail"))
        if (rule[0] == "CreateVssBackupComponents" && counts("fail create", rule[2])) return code(rule[1]);
    *to = new Requester();
    return S_OK;
}

void APIENTRY VssFreeSnapshotPropertiesInternal(VSS_SNAPSHOT_PROP* prop) {
    if (!prop || !prop->m_pwszSnapshotDeviceObject) { deviation("properties freed that are none"); return; }
    CoTaskMemFree(prop->m_pwszSnapshotDeviceObject);
    CoTaskMemFree(prop->m_pwszOriginalVolumeName);
    CoTaskMemFree(prop->m_pwszOriginatingMachine);
    CoTaskMemFree(prop->m_pwszServiceMachine);
    memset(prop, 0, sizeof *prop);
    --properties;
}

BOOL WINAPI DllMain(HINSTANCE, DWORD why, LPVOID) {
    if (why == DLL_PROCESS_ATTACH) InitializeCriticalSection(&gate);
    if (why == DLL_PROCESS_DETACH && requesters) deviation(format("%d requesters at the end of the process", requesters));
    return TRUE;
}

}
