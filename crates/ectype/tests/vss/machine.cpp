// A machine of Windows for a program under Wine, which tells nothing of disks: this bcryptprimitives.dll, which every program of
// Rust loads, takes the place of the calls that ask for volumes and disks. Without ECTYPE_VSS_MACHINE it only gives random bytes.
//
// ECTYPE_VSS_MACHINE names a file of lines, their words parted by tabs:
//   disk NUMBER DEVICE SIZE SERIAL               \\.\PhysicalDriveNUMBER is what Wine has at DEVICE
//   volume GUID DEVICE DISK OFFSET LENGTH ROOT   \\?\Volume{GUID}, and ROOT (as Q:\) where it is not "-"
//   used GUID                                    somebody has a file open on the volume, and keeps it: it cannot be locked
//   lockless GUID                                it knows no lock
//   lies FOLDER ROOT                             what is in FOLDER is on the volume at ROOT
// What is locked is told in that file's name with ".log": "lock GUID", "dismount GUID", "free GUID".

#include <windows.h>
#include <winioctl.h>
#include <ntsecapi.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

struct Disk {
    DWORD number;
    std::string device, serial;
    LONGLONG size;
};

struct Volume {
    std::string guid, device, root;
    DWORD disk;
    LONGLONG offset, len;
    bool used = false, lockless = false;
};

struct Open {
    int disk = -1, volume = -1;
    bool locked = false;
};

std::vector<Disk> disks;
std::vector<Volume> volumes;
std::vector<std::pair<std::string, std::string>> folders;
std::map<HANDLE, Open> handles;
std::string control;
CRITICAL_SECTION gate;

struct Inside {
    Inside() { EnterCriticalSection(&gate); }
    ~Inside() { LeaveCriticalSection(&gate); }
};

void line(const std::string& text) {
    FILE* file = fopen((control + ".log").c_str(), "ab");
    if (!file) return;
    fprintf(file, "%s\n", text.c_str());
    fclose(file);
}

std::string narrow(LPCWSTR text) {
    std::string all;
    for (; text && *text; ++text) all.push_back(*text < 128 ? (char)*text : '?');
    return all;
}

bool same(const std::string& a, const std::string& b) { return _stricmp(a.c_str(), b.c_str()) == 0; }

std::string name_of(const Volume& volume) { return "\\\\?\\Volume{" + volume.guid + "}"; }

// The volume at a root, which ends with a backslash.
int at_root(const std::string& root) {
    for (size_t i = 0; i < volumes.size(); ++i)
        if (same(root, name_of(volumes[i]) + "\\") || (volumes[i].root != "-" && same(root, volumes[i].root))) return (int)i;
    return -1;
}

BOOL given(const std::string& text, LPWSTR to, DWORD room) {
    if (text.size() >= room) {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return FALSE;
    }
    for (size_t i = 0; i <= text.size(); ++i) to[i] = i < text.size() ? (unsigned char)text[i] : 0;
    return TRUE;
}

BOOL refused(DWORD code) {
    SetLastError(code);
    return FALSE;
}

decltype(&CreateFileW) create_file;
decltype(&CloseHandle) close_handle;
decltype(&DeviceIoControl) device_control;
decltype(&GetDriveTypeW) drive_type;
decltype(&QueryDosDeviceW) dos_device;
decltype(&GetVolumeInformationW) information;
decltype(&GetVolumePathNameW) path_name;
decltype(&GetVolumeNameForVolumeMountPointW) name_for;
decltype(&GetVolumePathNamesForVolumeNameW) paths_of;

HANDLE WINAPI own_create_file(LPCWSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD how, DWORD flags,
                              HANDLE like) {
    Inside inside;
    std::string shown = narrow(name);
    Open open;
    std::string device;
    for (size_t i = 0; i < disks.size(); ++i)
        if (same(shown, "\\\\.\\PhysicalDrive" + std::to_string(disks[i].number))) open.disk = (int)i, device = disks[i].device;
    for (size_t i = 0; i < volumes.size(); ++i)
        if (same(shown, name_of(volumes[i])) ||
            (volumes[i].root != "-" && same(shown, "\\\\.\\" + volumes[i].root.substr(0, 2))))
            open.volume = (int)i, device = volumes[i].device;
    if (device.empty()) return create_file(name, access, share, security, how, flags, like);
    std::wstring wide(device.begin(), device.end());
    HANDLE handle = create_file(wide.c_str(), access, share, security, how, flags, like);
    if (handle != INVALID_HANDLE_VALUE) handles[handle] = open;
    return handle;
}

BOOL WINAPI own_close_handle(HANDLE handle) {
    Inside inside;
    auto found = handles.find(handle);
    if (found != handles.end()) {
        if (found->second.locked) line("free " + volumes[found->second.volume].guid);
        handles.erase(found);
    }
    return close_handle(handle);
}

// What a request answers; an error otherwise.
DWORD answer(Open& open, DWORD code, const void* input, std::vector<char>& reply) {
    auto put = [&](const void* bytes, size_t len) { reply.insert(reply.end(), (const char*)bytes, (const char*)bytes + len); };
    const Volume* volume = open.volume >= 0 ? &volumes[open.volume] : nullptr;
    const Disk* disk = open.disk >= 0 ? &disks[open.disk] : nullptr;
    for (auto& one : disks)
        if (volume && one.number == volume->disk) disk = &one;
    LONGLONG size = volume ? volume->len : disk->size;
    switch (code) {
    case IOCTL_DISK_GET_LENGTH_INFO:
        put(&size, sizeof size);
        return 0;
    case IOCTL_DISK_GET_DRIVE_GEOMETRY_EX: {
        DISK_GEOMETRY_EX geometry = {};
        geometry.Geometry.MediaType = FixedMedia;
        geometry.Geometry.BytesPerSector = 512;
        geometry.DiskSize.QuadPart = disk->size;
        put(&geometry, offsetof(DISK_GEOMETRY_EX, Data));
        return 0;
    }
    case IOCTL_STORAGE_GET_DEVICE_NUMBER: {
        STORAGE_DEVICE_NUMBER number = {FILE_DEVICE_DISK, disk->number, volume ? DWORD(open.volume + 1) : 0};
        put(&number, sizeof number);
        return 0;
    }
    case 0x00560000: {  // IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS
        if (!volume) return ERROR_INVALID_FUNCTION;
        VOLUME_DISK_EXTENTS extents = {};
        extents.NumberOfDiskExtents = 1;
        extents.Extents[0].DiskNumber = volume->disk;
        extents.Extents[0].StartingOffset.QuadPart = volume->offset;
        extents.Extents[0].ExtentLength.QuadPart = volume->len;
        put(&extents, sizeof extents);
        return 0;
    }
    case IOCTL_STORAGE_QUERY_PROPERTY: {
        if (*(const DWORD*)input != StorageDeviceProperty) return ERROR_INVALID_FUNCTION;
        STORAGE_DEVICE_DESCRIPTOR told = {};
        told.Version = sizeof told;
        told.BusType = BusTypeSata;
        told.ProductIdOffset = 40;
        told.SerialNumberOffset = 56;
        put(&told, offsetof(STORAGE_DEVICE_DESCRIPTOR, RawDeviceProperties));
        reply.resize(40);
        put("Referee's disk\0", 16);
        put(disk->serial.c_str(), disk->serial.size() + 1);
        return 0;
    }
    case IOCTL_DISK_IS_WRITABLE:
    case 0x00090083:  // FSCTL_ALLOW_EXTENDED_DASD_IO
        return 0;
    case FSCTL_LOCK_VOLUME:
        if (!volume || volume->lockless) return ERROR_INVALID_FUNCTION;
        // Handles that a dismount made dead count, too.
        if (volume->used) return ERROR_ACCESS_DENIED;
        if (!open.locked) line("lock " + volume->guid);
        open.locked = true;
        return 0;
    case FSCTL_DISMOUNT_VOLUME:
        if (!volume) return ERROR_INVALID_FUNCTION;
        line("dismount " + volume->guid);
        return 0;
    default:
        return ERROR_INVALID_FUNCTION;
    }
}

BOOL WINAPI own_device_control(HANDLE handle, DWORD code, LPVOID input, DWORD input_len, LPVOID output, DWORD output_len,
                               LPDWORD told, LPOVERLAPPED at) {
    Inside inside;
    auto found = handles.find(handle);
    if (found == handles.end()) return device_control(handle, code, input, input_len, output, output_len, told, at);
    std::vector<char> reply;
    DWORD failed = answer(found->second, code, input, reply);
    if (failed) return refused(failed);
    if (reply.size() > output_len) return refused(ERROR_INSUFFICIENT_BUFFER);
    if (!reply.empty()) memcpy(output, reply.data(), reply.size());
    if (told) *told = (DWORD)reply.size();
    if (at) {
        at->Internal = 0;
        at->InternalHigh = reply.size();
        if (at->hEvent) SetEvent(at->hEvent);
    }
    return TRUE;
}

UINT WINAPI own_drive_type(LPCWSTR root) { return at_root(narrow(root)) >= 0 ? DRIVE_FIXED : drive_type(root); }

DWORD WINAPI own_dos_device(LPCWSTR name, LPWSTR to, DWORD room) {
    std::string all;
    if (!name) {
        for (auto& disk : disks) all += "PhysicalDrive" + std::to_string(disk.number) + '\0';
        for (auto& volume : volumes)
            if (volume.root != "-") all += volume.root.substr(0, 2) + '\0';
    } else {
        int found = at_root(narrow(name) + "\\");
        if (found < 0) return dos_device(name, to, room);
        all = "\\Device\\HarddiskVolume" + std::to_string(found + 1) + '\0';
    }
    all += '\0';
    if (all.size() > room) {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return 0;
    }
    for (size_t i = 0; i < all.size(); ++i) to[i] = (unsigned char)all[i];
    return (DWORD)all.size();
}

// A search is the number of the volume that comes next.
HANDLE WINAPI own_find_first(LPWSTR to, DWORD room) {
    if (volumes.empty() || !given(name_of(volumes[0]) + "\\", to, room)) return INVALID_HANDLE_VALUE;
    return new size_t(1);
}

BOOL WINAPI own_find_next(HANDLE search, LPWSTR to, DWORD room) {
    size_t& next = *(size_t*)search;
    return next < volumes.size() ? given(name_of(volumes[next++]) + "\\", to, room) : refused(ERROR_NO_MORE_FILES);
}

BOOL WINAPI own_find_close(HANDLE search) {
    delete (size_t*)search;
    return TRUE;
}

BOOL WINAPI own_information(LPCWSTR root, LPWSTR label, DWORD label_room, LPDWORD serial, LPDWORD longest, LPDWORD flags,
                            LPWSTR name, DWORD room) {
    if (at_root(narrow(root)) < 0) return information(root, label, label_room, serial, longest, flags, name, room);
    if (flags) *flags = 0;
    return given("NTFS", name, room);
}

BOOL WINAPI own_path_name(LPCWSTR path, LPWSTR to, DWORD room) {
    std::string shown = narrow(path);
    if (shown.rfind("\\\\?\\", 0) == 0) shown = shown.substr(4);
    for (auto& folder : folders)
        if (_strnicmp(shown.c_str(), folder.first.c_str(), folder.first.size()) == 0) return given(folder.second, to, room);
    return path_name(path, to, room);
}

BOOL WINAPI own_name_for(LPCWSTR place, LPWSTR to, DWORD room) {
    int found = at_root(narrow(place));
    return found >= 0 ? given(name_of(volumes[found]) + "\\", to, room) : name_for(place, to, room);
}

BOOL WINAPI own_paths_of(LPCWSTR root, LPWCH to, DWORD room, PDWORD len) {
    int found = at_root(narrow(root));
    if (found < 0) return paths_of(root, to, room, len);
    std::string all = volumes[found].root == "-" ? std::string(1, '\0') : volumes[found].root + '\0' + '\0';
    *len = (DWORD)all.size();
    if (all.size() > room) return refused(ERROR_MORE_DATA);
    for (size_t i = 0; i < all.size(); ++i) to[i] = (unsigned char)all[i];
    return TRUE;
}

template <typename F> void taken(ULONG_PTR* place, F own, F* theirs) {
    DWORD before;
    if (theirs) *theirs = (F)*place;
    VirtualProtect(place, sizeof *place, PAGE_READWRITE, &before);
    *place = (ULONG_PTR)own;
    VirtualProtect(place, sizeof *place, before, &before);
}

// Every call of the program by its table of imports, which is filled before this runs.
void take_over() {
    char* base = (char*)GetModuleHandleW(nullptr);
    auto* head = (IMAGE_NT_HEADERS*)(base + ((IMAGE_DOS_HEADER*)base)->e_lfanew);
    auto* import = (IMAGE_IMPORT_DESCRIPTOR*)(base + head->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);
    for (; import->Name; ++import) {
        auto* name = (ULONG_PTR*)(base + import->OriginalFirstThunk);
        auto* place = (ULONG_PTR*)(base + import->FirstThunk);
        for (; *name; ++name, ++place) {
            if (*name & IMAGE_ORDINAL_FLAG64) continue;
            std::string called = ((IMAGE_IMPORT_BY_NAME*)(base + *name))->Name;
            if (called == "CreateFileW") taken(place, own_create_file, &create_file);
            if (called == "CloseHandle") taken(place, own_close_handle, &close_handle);
            if (called == "DeviceIoControl") taken(place, own_device_control, &device_control);
            if (called == "GetDriveTypeW") taken(place, own_drive_type, &drive_type);
            if (called == "QueryDosDeviceW") taken(place, own_dos_device, &dos_device);
            if (called == "FindFirstVolumeW") taken<decltype(&FindFirstVolumeW)>(place, own_find_first, nullptr);
            if (called == "FindNextVolumeW") taken<decltype(&FindNextVolumeW)>(place, own_find_next, nullptr);
            if (called == "FindVolumeClose") taken<decltype(&FindVolumeClose)>(place, own_find_close, nullptr);
            if (called == "GetVolumeInformationW") taken(place, own_information, &information);
            if (called == "GetVolumePathNameW") taken(place, own_path_name, &path_name);
            if (called == "GetVolumeNameForVolumeMountPointW") taken(place, own_name_for, &name_for);
            if (called == "GetVolumePathNamesForVolumeNameW") taken(place, own_paths_of, &paths_of);
        }
    }
}

void read_control() {
    FILE* file = fopen(control.c_str(), "rb");
    char row[4096];
    while (file && fgets(row, sizeof row, file)) {
        std::vector<std::string> word(1);
        for (char* at = row; *at && *at != '\n' && *at != '\r'; ++at) {
            if (*at == '\t') word.emplace_back();
            else word.back().push_back(*at);
        }
        if (word[0] == "disk" && word.size() == 5)
            disks.push_back({(DWORD)atol(word[1].c_str()), word[2], word[4], atoll(word[3].c_str())});
        if (word[0] == "volume" && word.size() == 7)
            volumes.push_back({word[1], word[2], word[6], (DWORD)atol(word[3].c_str()), atoll(word[4].c_str()), atoll(word[5].c_str())});
        if (word[0] == "used" && word.size() == 2)
            for (auto& volume : volumes) volume.used = volume.used || same(volume.guid, word[1]);
        if (word[0] == "lockless" && word.size() == 2)
            for (auto& volume : volumes) volume.lockless = volume.lockless || same(volume.guid, word[1]);
        if (word[0] == "lies" && word.size() == 3) folders.emplace_back(word[1], word[2]);
    }
    if (file) fclose(file);
}

}  // namespace

extern "C" {

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len) { return RtlGenRandom(data, (ULONG)len); }

BOOL WINAPI DllMain(HINSTANCE, DWORD why, LPVOID) {
    char name[4096];
    DWORD len = why == DLL_PROCESS_ATTACH ? GetEnvironmentVariableA("ECTYPE_VSS_MACHINE", name, sizeof name) : 0;
    if (len && len < sizeof name) {
        InitializeCriticalSection(&gate);
        control = name;
        read_control();
        take_over();
    }
    return TRUE;
}
}
