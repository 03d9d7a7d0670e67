//! Windows, as Microsoft's metadata has it. Made by `cargo xtask bindings`: change the names there, not this file.

windows_core::link!("advapi32.dll" "system" fn AdjustTokenPrivileges(tokenhandle : HANDLE, disableallprivileges : windows_core::BOOL, newstate : *const TOKEN_PRIVILEGES, bufferlength : u32, previousstate : *mut TOKEN_PRIVILEGES, returnlength : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn CancelIoEx(hfile : HANDLE, lpoverlapped : *const OVERLAPPED) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn CloseHandle(hobject : HANDLE) -> windows_core::BOOL);
windows_core::link!("ole32.dll" "system" fn CoIncrementMTAUsage(pcookie : *mut CO_MTA_USAGE_COOKIE) -> windows_core::HRESULT);
windows_core::link!("ole32.dll" "system" fn CoInitializeEx(pvreserved : *const core::ffi::c_void, dwcoinit : u32) -> windows_core::HRESULT);
windows_core::link!("ole32.dll" "system" fn CoInitializeSecurity(psecdesc : PSECURITY_DESCRIPTOR, cauthsvc : i32, asauthsvc : *const SOLE_AUTHENTICATION_SERVICE, preserved1 : *const core::ffi::c_void, dwauthnlevel : u32, dwimplevel : u32, pauthlist : *const core::ffi::c_void, dwcapabilities : u32, preserved3 : *const core::ffi::c_void) -> windows_core::HRESULT);
windows_core::link!("ole32.dll" "system" fn CoTaskMemFree(pv : *mut core::ffi::c_void));
windows_core::link!("ole32.dll" "system" fn CoUninitialize());
windows_core::link!("advapi32.dll" "system" fn ConvertStringSecurityDescriptorToSecurityDescriptorW(stringsecuritydescriptor : windows_core::PCWSTR, stringsdrevision : u32, securitydescriptor : *mut PSECURITY_DESCRIPTOR, securitydescriptorsize : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn CreateEventW(lpeventattributes : *const SECURITY_ATTRIBUTES, bmanualreset : windows_core::BOOL, binitialstate : windows_core::BOOL, lpname : windows_core::PCWSTR) -> HANDLE);
windows_core::link!("kernel32.dll" "system" fn CreateFileW(lpfilename : windows_core::PCWSTR, dwdesiredaccess : u32, dwsharemode : u32, lpsecurityattributes : *const SECURITY_ATTRIBUTES, dwcreationdisposition : u32, dwflagsandattributes : u32, htemplatefile : HANDLE) -> HANDLE);
pub type CreateVssBackupComponentsInternal =
    unsafe extern "system" fn(ppbackup: *mut *mut core::ffi::c_void) -> windows_core::HRESULT;
windows_core::link!("advapi32.dll" "system" fn CreateWellKnownSid(wellknownsidtype : WELL_KNOWN_SID_TYPE, domainsid : PSID, psid : PSID, cbsid : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn DefineDosDeviceW(dwflags : u32, lpdevicename : windows_core::PCWSTR, lptargetpath : windows_core::PCWSTR) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn DeleteFileW(lpfilename : windows_core::PCWSTR) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn DeleteVolumeMountPointW(lpszvolumemountpoint : windows_core::PCWSTR) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn DeviceIoControl(hdevice : HANDLE, dwiocontrolcode : u32, lpinbuffer : *const core::ffi::c_void, ninbuffersize : u32, lpoutbuffer : *mut core::ffi::c_void, noutbuffersize : u32, lpbytesreturned : *mut u32, lpoverlapped : *mut OVERLAPPED) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn DuplicateHandle(hsourceprocesshandle : HANDLE, hsourcehandle : HANDLE, htargetprocesshandle : HANDLE, lptargethandle : *mut HANDLE, dwdesiredaccess : u32, binherithandle : windows_core::BOOL, dwoptions : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn FindFirstVolumeW(lpszvolumename : windows_core::PWSTR, cchbufferlength : u32) -> HANDLE);
windows_core::link!("kernel32.dll" "system" fn FindNextVolumeW(hfindvolume : HANDLE, lpszvolumename : windows_core::PWSTR, cchbufferlength : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn FindVolumeClose(hfindvolume : HANDLE) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn FlushFileBuffers(hfile : HANDLE) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn FreeLibrary(hlibmodule : HMODULE) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GenerateConsoleCtrlEvent(dwctrlevent : u32, dwprocessgroupid : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetCompressedFileSizeW(lpfilename : windows_core::PCWSTR, lpfilesizehigh : *mut u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetConsoleMode(hconsolehandle : HANDLE, lpmode : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetConsoleOutputCP() -> u32);
windows_core::link!("kernel32.dll" "system" fn GetCurrentProcess() -> HANDLE);
windows_core::link!("kernel32.dll" "system" fn GetCurrentProcessId() -> u32);
windows_core::link!("kernel32.dll" "system" fn GetDiskFreeSpaceExW(lpdirectoryname : windows_core::PCWSTR, lpfreebytesavailabletocaller : *mut u64, lptotalnumberofbytes : *mut u64, lptotalnumberoffreebytes : *mut u64) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetDiskFreeSpaceW(lprootpathname : windows_core::PCWSTR, lpsectorspercluster : *mut u32, lpbytespersector : *mut u32, lpnumberoffreeclusters : *mut u32, lptotalnumberofclusters : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetDriveTypeW(lprootpathname : windows_core::PCWSTR) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetFileAttributesW(lpfilename : windows_core::PCWSTR) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetFileInformationByHandle(hfile : HANDLE, lpfileinformation : *mut BY_HANDLE_FILE_INFORMATION) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetFileInformationByHandleEx(hfile : HANDLE, fileinformationclass : FILE_INFO_BY_HANDLE_CLASS, lpfileinformation : *mut core::ffi::c_void, dwbuffersize : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetFileSizeEx(hfile : HANDLE, lpfilesize : *mut i64) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetFileType(hfile : HANDLE) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetFinalPathNameByHandleW(hfile : HANDLE, lpszfilepath : windows_core::PWSTR, cchfilepath : u32, dwflags : u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetFullPathNameW(lpfilename : windows_core::PCWSTR, nbufferlength : u32, lpbuffer : windows_core::PWSTR, lpfilepart : *mut windows_core::PWSTR) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetLastError() -> u32);
windows_core::link!("kernel32.dll" "system" fn GetLogicalDriveStringsW(nbufferlength : u32, lpbuffer : windows_core::PWSTR) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetLogicalDrives() -> u32);
windows_core::link!("kernel32.dll" "system" fn GetModuleHandleW(lpmodulename : windows_core::PCWSTR) -> HMODULE);
windows_core::link!("kernel32.dll" "system" fn GetOverlappedResult(hfile : HANDLE, lpoverlapped : *const OVERLAPPED, lpnumberofbytestransferred : *mut u32, bwait : windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetProcAddress(hmodule : HMODULE, lpprocname : windows_core::PCSTR) -> FARPROC);
windows_core::link!("advapi32.dll" "system" fn GetSecurityDescriptorControl(psecuritydescriptor : PSECURITY_DESCRIPTOR, pcontrol : *mut u16, lpdwrevision : *mut u32) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn GetSecurityDescriptorDacl(psecuritydescriptor : PSECURITY_DESCRIPTOR, lpbdaclpresent : *mut windows_core::BOOL, pdacl : *mut PACL, lpbdacldefaulted : *mut windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn GetSecurityDescriptorGroup(psecuritydescriptor : PSECURITY_DESCRIPTOR, pgroup : *mut PSID, lpbgroupdefaulted : *mut windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn GetSecurityDescriptorOwner(psecuritydescriptor : PSECURITY_DESCRIPTOR, powner : *mut PSID, lpbownerdefaulted : *mut windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetStdHandle(nstdhandle : u32) -> HANDLE);
windows_core::link!("kernel32.dll" "system" fn GetSystemDirectoryW(lpbuffer : windows_core::PWSTR, usize : u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn GetSystemInfo(lpsysteminfo : *mut SYSTEM_INFO));
windows_core::link!("kernel32.dll" "system" fn GetSystemTimeAsFileTime(lpsystemtimeasfiletime : *mut FILETIME));
windows_core::link!("kernel32.dll" "system" fn GetTickCount64() -> u64);
windows_core::link!("advapi32.dll" "system" fn GetTokenInformation(tokenhandle : HANDLE, tokeninformationclass : TOKEN_INFORMATION_CLASS, tokeninformation : *mut core::ffi::c_void, tokeninformationlength : u32, returnlength : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetVolumeInformationByHandleW(hfile : HANDLE, lpvolumenamebuffer : windows_core::PWSTR, nvolumenamesize : u32, lpvolumeserialnumber : *mut u32, lpmaximumcomponentlength : *mut u32, lpfilesystemflags : *mut u32, lpfilesystemnamebuffer : windows_core::PWSTR, nfilesystemnamesize : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetVolumeInformationW(lprootpathname : windows_core::PCWSTR, lpvolumenamebuffer : windows_core::PWSTR, nvolumenamesize : u32, lpvolumeserialnumber : *mut u32, lpmaximumcomponentlength : *mut u32, lpfilesystemflags : *mut u32, lpfilesystemnamebuffer : windows_core::PWSTR, nfilesystemnamesize : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetVolumeNameForVolumeMountPointW(lpszvolumemountpoint : windows_core::PCWSTR, lpszvolumename : windows_core::PWSTR, cchbufferlength : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetVolumePathNameW(lpszfilename : windows_core::PCWSTR, lpszvolumepathname : windows_core::PWSTR, cchbufferlength : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetVolumePathNamesForVolumeNameW(lpszvolumename : windows_core::PCWSTR, lpszvolumepathnames : *mut u16, cchbufferlength : u32, lpcchreturnlength : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn GetWindowsDirectoryW(lpbuffer : windows_core::PWSTR, usize : u32) -> u32);
windows_core::link!("advapi32.dll" "system" fn InitializeSecurityDescriptor(psecuritydescriptor : PSECURITY_DESCRIPTOR, dwrevision : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn LoadLibraryExW(lplibfilename : windows_core::PCWSTR, hfile : HANDLE, dwflags : u32) -> HMODULE);
windows_core::link!("kernel32.dll" "system" fn LocalFree(hmem : HLOCAL) -> HLOCAL);
windows_core::link!("kernel32.dll" "system" fn LockFileEx(hfile : HANDLE, dwflags : u32, dwreserved : u32, nnumberofbytestolocklow : u32, nnumberofbytestolockhigh : u32, lpoverlapped : *mut OVERLAPPED) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn LookupPrivilegeValueW(lpsystemname : windows_core::PCWSTR, lpname : windows_core::PCWSTR, lpluid : *mut LUID) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn MoveFileExW(lpexistingfilename : windows_core::PCWSTR, lpnewfilename : windows_core::PCWSTR, dwflags : u32) -> windows_core::BOOL);
windows_core::link!("ntdll.dll" "system" fn NtQueryObject(handle : HANDLE, objectinformationclass : OBJECT_INFORMATION_CLASS, objectinformation : *mut core::ffi::c_void, objectinformationlength : u32, returnlength : *mut u32) -> windows_core::NTSTATUS);
windows_core::link!("ntdll.dll" "system" fn NtQuerySystemInformation(systeminformationclass : SYSTEM_INFORMATION_CLASS, systeminformation : *mut core::ffi::c_void, systeminformationlength : u32, returnlength : *mut u32) -> windows_core::NTSTATUS);
windows_core::link!("kernel32.dll" "system" fn OpenProcess(dwdesiredaccess : u32, binherithandle : windows_core::BOOL, dwprocessid : u32) -> HANDLE);
windows_core::link!("advapi32.dll" "system" fn OpenProcessToken(processhandle : HANDLE, desiredaccess : u32, tokenhandle : *mut HANDLE) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn QueryDosDeviceW(lpdevicename : windows_core::PCWSTR, lptargetpath : windows_core::PWSTR, ucchmax : u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn QueryFullProcessImageNameW(hprocess : HANDLE, dwflags : u32, lpexename : windows_core::PWSTR, lpdwsize : *mut u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn ReOpenFile(horiginalfile : HANDLE, dwdesiredaccess : u32, dwsharemode : u32, dwflagsandattributes : u32) -> HANDLE);
windows_core::link!("kernel32.dll" "system" fn ReadFile(hfile : HANDLE, lpbuffer : *mut core::ffi::c_void, nnumberofbytestoread : u32, lpnumberofbytesread : *mut u32, lpoverlapped : *mut OVERLAPPED) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn RegCloseKey(hkey : HKEY) -> LSTATUS);
windows_core::link!("advapi32.dll" "system" fn RegOpenKeyExW(hkey : HKEY, lpsubkey : windows_core::PCWSTR, uloptions : u32, samdesired : REGSAM, phkresult : *mut HKEY) -> LSTATUS);
windows_core::link!("advapi32.dll" "system" fn RegQueryValueExW(hkey : HKEY, lpvaluename : windows_core::PCWSTR, lpreserved : *const u32, lptype : *mut u32, lpdata : *mut u8, lpcbdata : *mut u32) -> LSTATUS);
windows_core::link!("kernel32.dll" "system" fn ReplaceFileW(lpreplacedfilename : windows_core::PCWSTR, lpreplacementfilename : windows_core::PCWSTR, lpbackupfilename : windows_core::PCWSTR, dwreplaceflags : u32, lpexclude : *const core::ffi::c_void, lpreserved : *const core::ffi::c_void) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn ResetEvent(hevent : HANDLE) -> windows_core::BOOL);
pub type RmEndSession = unsafe extern "system" fn(dwsessionhandle: u32) -> u32;
pub type RmGetList = unsafe extern "system" fn(
    dwsessionhandle: u32,
    pnprocinfoneeded: *mut u32,
    pnprocinfo: *mut u32,
    rgaffectedapps: *mut RM_PROCESS_INFO,
    lpdwrebootreasons: *mut u32,
) -> u32;
pub type RmRegisterResources = unsafe extern "system" fn(
    dwsessionhandle: u32,
    nfiles: u32,
    rgsfilenames: *const windows_core::PCWSTR,
    napplications: u32,
    rgapplications: *const RM_UNIQUE_PROCESS,
    nservices: u32,
    rgsservicenames: *const windows_core::PCWSTR,
) -> u32;
pub type RmStartSession =
    unsafe extern "system" fn(psessionhandle: *mut u32, dwsessionflags: u32, strsessionkey: *mut u16) -> u32;
windows_core::link!("ntdll.dll" "system" fn RtlGetVersion(lpversioninformation : *mut OSVERSIONINFOW) -> windows_core::NTSTATUS);
windows_core::link!("shell32.dll" "system" fn SHGetKnownFolderPath(rfid : *const KNOWNFOLDERID, dwflags : u32, htoken : HANDLE, ppszpath : *mut windows_core::PWSTR) -> windows_core::HRESULT);
windows_core::link!("kernel32.dll" "system" fn SetConsoleCtrlHandler(handlerroutine : PHANDLER_ROUTINE, add : windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetConsoleMode(hconsolehandle : HANDLE, dwmode : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetConsoleOutputCP(wcodepageid : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetEndOfFile(hfile : HANDLE) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn SetEntriesInAclW(ccountofexplicitentries : u32, plistofexplicitentries : *const EXPLICIT_ACCESS_W, oldacl : *const ACL, newacl : *mut PACL) -> u32);
windows_core::link!("kernel32.dll" "system" fn SetErrorMode(umode : u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn SetEvent(hevent : HANDLE) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetFileInformationByHandle(hfile : HANDLE, fileinformationclass : FILE_INFO_BY_HANDLE_CLASS, lpfileinformation : *const core::ffi::c_void, dwbuffersize : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetFilePointerEx(hfile : HANDLE, lidistancetomove : i64, lpnewfilepointer : *mut i64, dwmovemethod : u32) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetHandleInformation(hobject : HANDLE, dwmask : u32, dwflags : u32) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn SetSecurityDescriptorDacl(psecuritydescriptor : PSECURITY_DESCRIPTOR, bdaclpresent : windows_core::BOOL, pdacl : *const ACL, bdacldefaulted : windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn SetSecurityDescriptorGroup(psecuritydescriptor : PSECURITY_DESCRIPTOR, pgroup : PSID, bgroupdefaulted : windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("advapi32.dll" "system" fn SetSecurityDescriptorOwner(psecuritydescriptor : PSECURITY_DESCRIPTOR, powner : PSID, bownerdefaulted : windows_core::BOOL) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn SetThreadExecutionState(esflags : EXECUTION_STATE) -> EXECUTION_STATE);
windows_core::link!("kernel32.dll" "system" fn SetVolumeMountPointW(lpszvolumemountpoint : windows_core::PCWSTR, lpszvolumename : windows_core::PCWSTR) -> windows_core::BOOL);
windows_core::link!("setupapi.dll" "system" fn SetupDiDestroyDeviceInfoList(deviceinfoset : HDEVINFO) -> windows_core::BOOL);
windows_core::link!("setupapi.dll" "system" fn SetupDiEnumDeviceInterfaces(deviceinfoset : HDEVINFO, deviceinfodata : *const SP_DEVINFO_DATA, interfaceclassguid : *const windows_core::GUID, memberindex : u32, deviceinterfacedata : *mut SP_DEVICE_INTERFACE_DATA) -> windows_core::BOOL);
windows_core::link!("setupapi.dll" "system" fn SetupDiGetClassDevsW(classguid : *const windows_core::GUID, enumerator : windows_core::PCWSTR, hwndparent : HWND, flags : u32) -> HDEVINFO);
windows_core::link!("setupapi.dll" "system" fn SetupDiGetDeviceInterfaceDetailW(deviceinfoset : HDEVINFO, deviceinterfacedata : *const SP_DEVICE_INTERFACE_DATA, deviceinterfacedetaildata : *mut SP_DEVICE_INTERFACE_DETAIL_DATA_W, deviceinterfacedetaildatasize : u32, requiredsize : *mut u32, deviceinfodata : *mut SP_DEVINFO_DATA) -> windows_core::BOOL);
windows_core::link!("oleaut32.dll" "system" fn SysFreeString(bstrstring : *mut core::ffi::c_void));
windows_core::link!("oleaut32.dll" "system" fn SysStringLen(pbstr : *mut core::ffi::c_void) -> u32);
windows_core::link!("kernel32.dll" "system" fn UnlockFileEx(hfile : HANDLE, dwreserved : u32, nnumberofbytestounlocklow : u32, nnumberofbytestounlockhigh : u32, lpoverlapped : *mut OVERLAPPED) -> windows_core::BOOL);
windows_core::link!("kernel32.dll" "system" fn VirtualAlloc(lpaddress : *const core::ffi::c_void, dwsize : usize, flallocationtype : u32, flprotect : u32) -> *mut core::ffi::c_void);
windows_core::link!("kernel32.dll" "system" fn VirtualFree(lpaddress : *mut core::ffi::c_void, dwsize : usize, dwfreetype : u32) -> windows_core::BOOL);
pub type VssFreeSnapshotPropertiesInternal = unsafe extern "system" fn(pprop: *const VSS_SNAPSHOT_PROP);
windows_core::link!("kernel32.dll" "system" fn WaitForMultipleObjects(ncount : u32, lphandles : *const HANDLE, bwaitall : windows_core::BOOL, dwmilliseconds : u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn WaitForSingleObject(hhandle : HANDLE, dwmilliseconds : u32) -> u32);
windows_core::link!("kernel32.dll" "system" fn WriteFile(hfile : HANDLE, lpbuffer : *const core::ffi::c_void, nnumberofbytestowrite : u32, lpnumberofbyteswritten : *mut u32, lpoverlapped : *mut OVERLAPPED) -> windows_core::BOOL);
pub type ACCESS_MASK = u32;
pub type ACCESS_MODE = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ACL {
    pub AclRevision: u8,
    pub Sbz1: u8,
    pub AclSize: u16,
    pub AceCount: u16,
    pub Sbz2: u16,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BY_HANDLE_FILE_INFORMATION {
    pub dwFileAttributes: u32,
    pub ftCreationTime: FILETIME,
    pub ftLastAccessTime: FILETIME,
    pub ftLastWriteTime: FILETIME,
    pub dwVolumeSerialNumber: u32,
    pub nFileSizeHigh: u32,
    pub nFileSizeLow: u32,
    pub nNumberOfLinks: u32,
    pub nFileIndexHigh: u32,
    pub nFileIndexLow: u32,
}
pub const BusType1394: STORAGE_BUS_TYPE = 4;
pub const BusTypeAta: STORAGE_BUS_TYPE = 3;
pub const BusTypeAtapi: STORAGE_BUS_TYPE = 2;
pub const BusTypeFibre: STORAGE_BUS_TYPE = 6;
pub const BusTypeFileBackedVirtual: STORAGE_BUS_TYPE = 15;
pub const BusTypeMax: STORAGE_BUS_TYPE = 21;
pub const BusTypeMaxReserved: STORAGE_BUS_TYPE = 127;
pub const BusTypeMmc: STORAGE_BUS_TYPE = 13;
pub const BusTypeNvme: STORAGE_BUS_TYPE = 17;
pub const BusTypeNvmeof: STORAGE_BUS_TYPE = 20;
pub const BusTypeRAID: STORAGE_BUS_TYPE = 8;
pub const BusTypeSCM: STORAGE_BUS_TYPE = 18;
pub const BusTypeSas: STORAGE_BUS_TYPE = 10;
pub const BusTypeSata: STORAGE_BUS_TYPE = 11;
pub const BusTypeScsi: STORAGE_BUS_TYPE = 1;
pub const BusTypeSd: STORAGE_BUS_TYPE = 12;
pub const BusTypeSpaces: STORAGE_BUS_TYPE = 16;
pub const BusTypeSsa: STORAGE_BUS_TYPE = 5;
pub const BusTypeUfs: STORAGE_BUS_TYPE = 19;
pub const BusTypeUnknown: STORAGE_BUS_TYPE = 0;
pub const BusTypeUsb: STORAGE_BUS_TYPE = 7;
pub const BusTypeVirtual: STORAGE_BUS_TYPE = 14;
pub const BusTypeiScsi: STORAGE_BUS_TYPE = 9;
#[cfg(target_arch = "x86")]
pub const CCH_RM_SESSION_KEY: u32 = 32;
#[cfg(any(target_arch = "aarch64", target_arch = "arm64ec", target_arch = "x86_64"))]
pub const CCH_RM_SESSION_KEY: u64 = 32;
pub const CDDA: TRACK_MODE_TYPE = 2;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CDROM_READ_TOC_EX {
    pub _bitfield: u8,
    pub SessionTrack: u8,
    pub Reserved2: u8,
    pub Reserved3: u8,
}
impl CDROM_READ_TOC_EX {
    pub fn Format(&self) -> u8 {
        (self._bitfield << 4) >> 4
    }
    pub fn set_Format(&mut self, value: u8) {
        self._bitfield = (self._bitfield & !15) | (value & 15);
    }
    pub fn Reserved1(&self) -> u8 {
        (self._bitfield << 1) >> 5
    }
    pub fn set_Reserved1(&mut self, value: u8) {
        self._bitfield = (self._bitfield & !(7 << 4)) | ((value & 7) << 4);
    }
    pub fn Msf(&self) -> bool {
        (self._bitfield >> 7) & 1 != 0
    }
    pub fn set_Msf(&mut self, value: bool) {
        self._bitfield = (self._bitfield & !(1 << 7)) | ((value as u8) << 7);
    }
}
pub const CDROM_READ_TOC_EX_FORMAT_FULL_TOC: i32 = 2;
pub const CDROM_READ_TOC_EX_FORMAT_SESSION: i32 = 1;
pub const CDROM_READ_TOC_EX_FORMAT_TOC: i32 = 0;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CDROM_TOC {
    pub Length: [u8; 2],
    pub FirstTrack: u8,
    pub LastTrack: u8,
    pub TrackData: [TRACK_DATA; 100],
}
impl Default for CDROM_TOC {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CDROM_TOC_FULL_TOC_DATA {
    pub Length: [u8; 2],
    pub FirstCompleteSession: u8,
    pub LastCompleteSession: u8,
    pub Descriptors: [CDROM_TOC_FULL_TOC_DATA_BLOCK; 0],
}
impl Default for CDROM_TOC_FULL_TOC_DATA {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CDROM_TOC_FULL_TOC_DATA_BLOCK {
    pub SessionNumber: u8,
    pub _bitfield: u8,
    pub Reserved1: u8,
    pub Point: u8,
    pub MsfExtra: [u8; 3],
    pub Zero: u8,
    pub Msf: [u8; 3],
}
impl CDROM_TOC_FULL_TOC_DATA_BLOCK {
    pub fn Control(&self) -> u8 {
        (self._bitfield << 4) >> 4
    }
    pub fn set_Control(&mut self, value: u8) {
        self._bitfield = (self._bitfield & !15) | (value & 15);
    }
    pub fn Adr(&self) -> u8 {
        self._bitfield >> 4
    }
    pub fn set_Adr(&mut self, value: u8) {
        self._bitfield = (self._bitfield & !(15 << 4)) | ((value & 15) << 4);
    }
}
impl Default for CDROM_TOC_FULL_TOC_DATA_BLOCK {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CDROM_TOC_SESSION_DATA {
    pub Length: [u8; 2],
    pub FirstCompleteSession: u8,
    pub LastCompleteSession: u8,
    pub TrackData: [TRACK_DATA; 1],
}
impl Default for CDROM_TOC_SESSION_DATA {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub type COINIT = i32;
pub const COINIT_MULTITHREADED: COINIT = 0;
pub const COMPRESSION_FORMAT_NONE: i32 = 0;
pub const COM_RIGHTS_EXECUTE: i32 = 1;
pub type CO_MTA_USAGE_COOKIE = *mut core::ffi::c_void;
pub const CP_UTF8: i32 = 65001;
pub const CREATE_ALWAYS: i32 = 2;
pub const CREATE_NEW: i32 = 1;
pub const CTRL_BREAK_EVENT: i32 = 1;
pub const CTRL_CLOSE_EVENT: i32 = 2;
pub const CTRL_C_EVENT: i32 = 0;
pub const CTRL_LOGOFF_EVENT: i32 = 5;
pub const CTRL_SHUTDOWN_EVENT: i32 = 6;
pub const DELETE: i32 = 65536;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_DATA_SET_RANGE {
    pub StartingOffset: i64,
    pub LengthInBytes: DWORDLONG,
}
pub type DEVICE_DSM_ACTION = u32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_MANAGE_DATA_SET_ATTRIBUTES {
    pub Size: u32,
    pub Action: DEVICE_DSM_ACTION,
    pub Flags: u32,
    pub ParameterBlockOffset: u32,
    pub ParameterBlockLength: u32,
    pub DataSetRangesOffset: u32,
    pub DataSetRangesLength: u32,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DEVICE_MEDIA_INFO {
    pub DeviceSpecific: DEVICE_MEDIA_INFO_0,
}
impl Default for DEVICE_MEDIA_INFO {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub union DEVICE_MEDIA_INFO_0 {
    pub DiskInfo: DEVICE_MEDIA_INFO_0_0,
    pub RemovableDiskInfo: DEVICE_MEDIA_INFO_0_1,
    pub TapeInfo: DEVICE_MEDIA_INFO_0_2,
}
impl Default for DEVICE_MEDIA_INFO_0 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_MEDIA_INFO_0_0 {
    pub Cylinders: i64,
    pub MediaType: STORAGE_MEDIA_TYPE,
    pub TracksPerCylinder: u32,
    pub SectorsPerTrack: u32,
    pub BytesPerSector: u32,
    pub NumberMediaSides: u32,
    pub MediaCharacteristics: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_MEDIA_INFO_0_1 {
    pub Cylinders: i64,
    pub MediaType: STORAGE_MEDIA_TYPE,
    pub TracksPerCylinder: u32,
    pub SectorsPerTrack: u32,
    pub BytesPerSector: u32,
    pub NumberMediaSides: u32,
    pub MediaCharacteristics: u32,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DEVICE_MEDIA_INFO_0_2 {
    pub MediaType: STORAGE_MEDIA_TYPE,
    pub MediaCharacteristics: u32,
    pub CurrentBlockSize: u32,
    pub BusType: STORAGE_BUS_TYPE,
    pub BusSpecificData: DEVICE_MEDIA_INFO_0_2_0,
}
impl Default for DEVICE_MEDIA_INFO_0_2 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub union DEVICE_MEDIA_INFO_0_2_0 {
    pub ScsiInformation: DEVICE_MEDIA_INFO_0_2_0_0,
}
impl Default for DEVICE_MEDIA_INFO_0_2_0 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_MEDIA_INFO_0_2_0_0 {
    pub MediumType: u8,
    pub DensityCode: u8,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_SEEK_PENALTY_DESCRIPTOR {
    pub Version: u32,
    pub Size: u32,
    pub IncursSeekPenalty: bool,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DEVICE_TRIM_DESCRIPTOR {
    pub Version: u32,
    pub Size: u32,
    pub TrimEnabled: bool,
}
pub const DIGCF_DEVICEINTERFACE: i32 = 16;
pub const DIGCF_PRESENT: i32 = 2;
pub const DISK_ATTRIBUTE_OFFLINE: i32 = 1;
pub const DISK_ATTRIBUTE_READ_ONLY: i32 = 2;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DISK_EXTENT {
    pub DiskNumber: u32,
    pub StartingOffset: i64,
    pub ExtentLength: i64,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DISK_GEOMETRY {
    pub Cylinders: i64,
    pub MediaType: MEDIA_TYPE,
    pub TracksPerCylinder: u32,
    pub SectorsPerTrack: u32,
    pub BytesPerSector: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DISK_GEOMETRY_EX {
    pub Geometry: DISK_GEOMETRY,
    pub DiskSize: i64,
    pub Data: [u8; 1],
}
impl Default for DISK_GEOMETRY_EX {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DISK_PERFORMANCE {
    pub BytesRead: i64,
    pub BytesWritten: i64,
    pub ReadTime: i64,
    pub WriteTime: i64,
    pub IdleTime: i64,
    pub ReadCount: u32,
    pub WriteCount: u32,
    pub QueueDepth: u32,
    pub SplitCount: u32,
    pub QueryTime: i64,
    pub StorageDeviceNumber: u32,
    pub StorageManagerName: [u16; 8],
}
impl Default for DISK_PERFORMANCE {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const DRIVE_CDROM: i32 = 5;
pub const DRIVE_FIXED: i32 = 3;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DRIVE_LAYOUT_INFORMATION_EX {
    pub PartitionStyle: u32,
    pub PartitionCount: u32,
    pub Anonymous: DRIVE_LAYOUT_INFORMATION_EX_0,
    pub PartitionEntry: [PARTITION_INFORMATION_EX; 1],
}
impl Default for DRIVE_LAYOUT_INFORMATION_EX {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub union DRIVE_LAYOUT_INFORMATION_EX_0 {
    pub Mbr: DRIVE_LAYOUT_INFORMATION_MBR,
    pub Gpt: DRIVE_LAYOUT_INFORMATION_GPT,
}
impl Default for DRIVE_LAYOUT_INFORMATION_EX_0 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DRIVE_LAYOUT_INFORMATION_GPT {
    pub DiskId: windows_core::GUID,
    pub StartingUsableOffset: i64,
    pub UsableLength: i64,
    pub MaxPartitionCount: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DRIVE_LAYOUT_INFORMATION_MBR {
    pub Signature: u32,
    pub CheckSum: u32,
}
pub const DRIVE_NO_ROOT_DIR: i32 = 1;
pub const DRIVE_RAMDISK: i32 = 6;
pub const DRIVE_REMOTE: i32 = 4;
pub const DRIVE_REMOVABLE: i32 = 2;
pub const DRIVE_UNKNOWN: i32 = 0;
pub const DUPLICATE_SAME_ACCESS: i32 = 2;
pub type DWORDLONG = u64;
pub const DeviceDsmAction_Trim: u32 = 1;
pub const ENABLE_PROCESSED_OUTPUT: i32 = 1;
pub const ENABLE_VIRTUAL_TERMINAL_PROCESSING: i32 = 4;
pub const EOAC_ACCESS_CONTROL: EOLE_AUTHENTICATION_CAPABILITIES = 4;
pub const EOAC_ANY_AUTHORITY: EOLE_AUTHENTICATION_CAPABILITIES = 128;
pub const EOAC_APPID: EOLE_AUTHENTICATION_CAPABILITIES = 8;
pub const EOAC_AUTO_IMPERSONATE: EOLE_AUTHENTICATION_CAPABILITIES = 1024;
pub const EOAC_DEFAULT: EOLE_AUTHENTICATION_CAPABILITIES = 2048;
pub const EOAC_DISABLE_AAA: EOLE_AUTHENTICATION_CAPABILITIES = 4096;
pub const EOAC_DYNAMIC: EOLE_AUTHENTICATION_CAPABILITIES = 16;
pub const EOAC_DYNAMIC_CLOAKING: EOLE_AUTHENTICATION_CAPABILITIES = 64;
pub const EOAC_MAKE_FULLSIC: EOLE_AUTHENTICATION_CAPABILITIES = 256;
pub const EOAC_MUTUAL_AUTH: EOLE_AUTHENTICATION_CAPABILITIES = 1;
pub const EOAC_NONE: EOLE_AUTHENTICATION_CAPABILITIES = 0;
pub const EOAC_NO_CUSTOM_MARSHAL: EOLE_AUTHENTICATION_CAPABILITIES = 8192;
pub const EOAC_REQUIRE_FULLSIC: EOLE_AUTHENTICATION_CAPABILITIES = 512;
pub const EOAC_RESERVED1: EOLE_AUTHENTICATION_CAPABILITIES = 16384;
pub const EOAC_SECURE_REFS: EOLE_AUTHENTICATION_CAPABILITIES = 2;
pub const EOAC_STATIC_CLOAKING: EOLE_AUTHENTICATION_CAPABILITIES = 32;
pub type EOLE_AUTHENTICATION_CAPABILITIES = i32;
pub const ERROR_ACCESS_DENIED: i32 = 5;
pub const ERROR_ALREADY_EXISTS: i32 = 183;
pub const ERROR_BAD_UNIT: i32 = 20;
pub const ERROR_BROKEN_PIPE: i32 = 109;
pub const ERROR_BUSY: i32 = 170;
pub const ERROR_BUS_RESET: i32 = 1111;
pub const ERROR_CANT_ACCESS_FILE: i32 = 1920;
pub const ERROR_COMMITMENT_LIMIT: i32 = 1455;
pub const ERROR_CRC: i32 = 23;
pub const ERROR_DATA_LOST_REPAIR: i32 = 6843;
pub const ERROR_DELETE_PENDING: i32 = 303;
pub const ERROR_DEVICE_HARDWARE_ERROR: i32 = 483;
pub const ERROR_DEVICE_IN_USE: i32 = 2404;
pub const ERROR_DEVICE_NOT_AVAILABLE: i32 = 4319;
pub const ERROR_DEVICE_NOT_CONNECTED: i32 = 1167;
pub const ERROR_DEVICE_REINITIALIZATION_NEEDED: i32 = 1164;
pub const ERROR_DEVICE_REMOVED: i32 = 1617;
pub const ERROR_DEV_NOT_EXIST: i32 = 55;
pub const ERROR_DIR_NOT_EMPTY: i32 = 145;
pub const ERROR_DISK_CORRUPT: i32 = 1393;
pub const ERROR_DISK_FULL: i32 = 112;
pub const ERROR_DISK_OPERATION_FAILED: i32 = 1127;
pub const ERROR_DISK_RECALIBRATE_FAILED: i32 = 1126;
pub const ERROR_DISK_RESET_FAILED: i32 = 1128;
pub const ERROR_ELEVATION_REQUIRED: i32 = 740;
pub const ERROR_FILE_CORRUPT: i32 = 1392;
pub const ERROR_FILE_EXISTS: i32 = 80;
pub const ERROR_FILE_INVALID: i32 = 1006;
pub const ERROR_FILE_NOT_FOUND: i32 = 2;
pub const ERROR_FILE_SYSTEM_LIMITATION: i32 = 665;
pub const ERROR_FILE_TOO_LARGE: i32 = 223;
pub const ERROR_FLOPPY_BAD_REGISTERS: i32 = 1125;
pub const ERROR_FLOPPY_ID_MARK_NOT_FOUND: i32 = 1122;
pub const ERROR_FLOPPY_UNKNOWN_ERROR: i32 = 1124;
pub const ERROR_FLOPPY_WRONG_CYLINDER: i32 = 1123;
pub const ERROR_GEN_FAILURE: i32 = 31;
pub const ERROR_HANDLE_DISK_FULL: i32 = 39;
pub const ERROR_HANDLE_EOF: i32 = 38;
pub const ERROR_INSUFFICIENT_BUFFER: i32 = 122;
pub const ERROR_INVALID_ADDRESS: i32 = 487;
pub const ERROR_INVALID_BLOCK_LENGTH: i32 = 1106;
pub const ERROR_INVALID_FUNCTION: i32 = 1;
pub const ERROR_INVALID_HANDLE: i32 = 6;
pub const ERROR_INVALID_NAME: i32 = 123;
pub const ERROR_INVALID_PARAMETER: i32 = 87;
pub const ERROR_IO_DEVICE: i32 = 1117;
pub const ERROR_IO_INCOMPLETE: i32 = 996;
pub const ERROR_IO_PENDING: i32 = 997;
pub const ERROR_LOCK_VIOLATION: i32 = 33;
pub const ERROR_MEDIA_CHANGED: i32 = 1110;
pub const ERROR_MEDIA_CHECK: i32 = 679;
pub const ERROR_MORE_DATA: i32 = 234;
pub const ERROR_NEGATIVE_SEEK: i32 = 131;
pub const ERROR_NETNAME_DELETED: i32 = 64;
pub const ERROR_NOACCESS: i32 = 998;
pub const ERROR_NOT_DOS_DISK: i32 = 26;
pub const ERROR_NOT_ENOUGH_MEMORY: i32 = 8;
pub const ERROR_NOT_FOUND: i32 = 1168;
pub const ERROR_NOT_READY: i32 = 21;
pub const ERROR_NOT_SUPPORTED: i32 = 50;
pub const ERROR_NO_MEDIA_IN_DRIVE: i32 = 1112;
pub const ERROR_NO_MORE_FILES: i32 = 18;
pub const ERROR_NO_MORE_ITEMS: i32 = 259;
pub const ERROR_NO_SUCH_DEVICE: i32 = 433;
pub const ERROR_NO_SYSTEM_RESOURCES: i32 = 1450;
pub const ERROR_OPERATION_ABORTED: i32 = 995;
pub const ERROR_PATH_NOT_FOUND: i32 = 3;
pub const ERROR_PRIVILEGE_NOT_HELD: i32 = 1314;
pub const ERROR_READ_FAULT: i32 = 30;
pub const ERROR_SECTOR_NOT_FOUND: i32 = 27;
pub const ERROR_SEEK: i32 = 25;
pub const ERROR_SEM_TIMEOUT: i32 = 121;
pub const ERROR_SHARING_VIOLATION: i32 = 32;
pub const ERROR_STORAGE_TOPOLOGY_ID_MISMATCH: i32 = 345;
pub const ERROR_SUCCESS: i32 = 0;
pub const ERROR_SYSTEM_DEVICE_NOT_FOUND: i32 = 15299;
pub const ERROR_TIMEOUT: i32 = 1460;
pub const ERROR_UNEXP_NET_ERR: i32 = 59;
pub const ERROR_UNRECOGNIZED_MEDIA: i32 = 1785;
pub const ERROR_UNRECOGNIZED_VOLUME: i32 = 1005;
pub const ERROR_WRITE_FAULT: i32 = 29;
pub const ERROR_WRITE_PROTECT: i32 = 19;
pub const ERROR_WRONG_DISK: i32 = 34;
pub const ES_CONTINUOUS: u32 = 2147483648;
pub const ES_SYSTEM_REQUIRED: u32 = 1;
pub type EXECUTION_STATE = u32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EXPLICIT_ACCESS_W {
    pub grfAccessPermissions: u32,
    pub grfAccessMode: ACCESS_MODE,
    pub grfInheritance: u32,
    pub Trustee: TRUSTEE_W,
}
pub const E_ACCESSDENIED: windows_core::HRESULT = windows_core::HRESULT(0x80070005_u32 as _);
pub const E_FAIL: windows_core::HRESULT = windows_core::HRESULT(0x80004005_u32 as _);
pub const E_INVALIDARG: windows_core::HRESULT = windows_core::HRESULT(0x80070057_u32 as _);
pub const E_NOTIMPL: windows_core::HRESULT = windows_core::HRESULT(0x80004001_u32 as _);
pub const E_OUTOFMEMORY: windows_core::HRESULT = windows_core::HRESULT(0x8007000E_u32 as _);
pub const E_UNEXPECTED: windows_core::HRESULT = windows_core::HRESULT(0x8000FFFF_u32 as _);
pub const F3_120M_512: MEDIA_TYPE = 13;
pub const F3_128Mb_512: MEDIA_TYPE = 20;
pub const F3_1Pt23_1024: MEDIA_TYPE = 18;
pub const F3_1Pt2_512: MEDIA_TYPE = 17;
pub const F3_1Pt44_512: MEDIA_TYPE = 2;
pub const F3_200Mb_512: MEDIA_TYPE = 23;
pub const F3_20Pt8_512: MEDIA_TYPE = 4;
pub const F3_230Mb_512: MEDIA_TYPE = 21;
pub const F3_240M_512: MEDIA_TYPE = 24;
pub const F3_2Pt88_512: MEDIA_TYPE = 3;
pub const F3_32M_512: MEDIA_TYPE = 25;
pub const F3_640_512: MEDIA_TYPE = 14;
pub const F3_720_512: MEDIA_TYPE = 5;
pub const F5_160_512: MEDIA_TYPE = 10;
pub const F5_180_512: MEDIA_TYPE = 9;
pub const F5_1Pt23_1024: MEDIA_TYPE = 19;
pub const F5_1Pt2_512: MEDIA_TYPE = 1;
pub const F5_320_1024: MEDIA_TYPE = 8;
pub const F5_320_512: MEDIA_TYPE = 7;
pub const F5_360_512: MEDIA_TYPE = 6;
pub const F5_640_512: MEDIA_TYPE = 15;
pub const F5_720_512: MEDIA_TYPE = 16;
pub const F8_256_128: MEDIA_TYPE = 22;
pub type FARPROC = Option<unsafe extern "system" fn() -> isize>;
pub type FEATURE_NUMBER = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILETIME {
    pub dwLowDateTime: u32,
    pub dwHighDateTime: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_ALLOCATED_RANGE_BUFFER {
    pub FileOffset: i64,
    pub Length: i64,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_ALLOCATION_INFO {
    pub AllocationSize: i64,
}
pub const FILE_ATTRIBUTE_COMPRESSED: i32 = 2048;
pub const FILE_ATTRIBUTE_DEVICE: i32 = 64;
pub const FILE_ATTRIBUTE_DIRECTORY: i32 = 16;
pub const FILE_ATTRIBUTE_ENCRYPTED: i32 = 16384;
pub const FILE_ATTRIBUTE_NORMAL: i32 = 128;
pub const FILE_ATTRIBUTE_OFFLINE: i32 = 4096;
pub const FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS: i32 = 4194304;
pub const FILE_ATTRIBUTE_RECALL_ON_OPEN: i32 = 262144;
pub const FILE_ATTRIBUTE_REPARSE_POINT: i32 = 1024;
pub const FILE_ATTRIBUTE_SPARSE_FILE: i32 = 512;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_ATTRIBUTE_TAG_INFO {
    pub FileAttributes: u32,
    pub ReparseTag: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_BASIC_INFO {
    pub CreationTime: i64,
    pub LastAccessTime: i64,
    pub LastWriteTime: i64,
    pub ChangeTime: i64,
    pub FileAttributes: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FILE_COMPRESSION_INFO {
    pub CompressedFileSize: i64,
    pub CompressionFormat: u16,
    pub CompressionUnitShift: u8,
    pub ChunkShift: u8,
    pub ClusterShift: u8,
    pub Reserved: [u8; 3],
}
impl Default for FILE_COMPRESSION_INFO {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const FILE_DEVICE_CD_ROM: i32 = 2;
pub const FILE_DEVICE_DISK: i32 = 7;
pub const FILE_DEVICE_DVD: i32 = 51;
pub const FILE_DEVICE_VIRTUAL_DISK: i32 = 36;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_DISPOSITION_INFO {
    pub DeleteFile: bool,
}
pub const FILE_FILE_COMPRESSION: i32 = 16;
pub const FILE_FLAG_BACKUP_SEMANTICS: i32 = 33554432;
pub const FILE_FLAG_DELETE_ON_CLOSE: i32 = 67108864;
pub const FILE_FLAG_NO_BUFFERING: i32 = 536870912;
pub const FILE_FLAG_OPEN_REPARSE_POINT: i32 = 2097152;
pub const FILE_FLAG_OVERLAPPED: i32 = 1073741824;
pub const FILE_FLAG_RANDOM_ACCESS: i32 = 268435456;
pub const FILE_FLAG_SEQUENTIAL_SCAN: i32 = 134217728;
pub const FILE_FLAG_WRITE_THROUGH: u32 = 2147483648;
pub const FILE_GENERIC_READ: i32 = 1179785;
pub const FILE_GENERIC_WRITE: i32 = 1179926;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FILE_ID_128 {
    pub Identifier: [u8; 16],
}
impl Default for FILE_ID_128 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_ID_INFO {
    pub VolumeSerialNumber: u64,
    pub FileId: FILE_ID_128,
}
pub type FILE_INFO_BY_HANDLE_CLASS = i32;
pub const FILE_READ_ATTRIBUTES: i32 = 128;
pub const FILE_READ_DATA: i32 = 1;
pub const FILE_READ_ONLY_VOLUME: i32 = 524288;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_SET_SPARSE_BUFFER {
    pub SetSparse: bool,
}
pub const FILE_SHARE_DELETE: i32 = 4;
pub const FILE_SHARE_READ: i32 = 1;
pub const FILE_SHARE_WRITE: i32 = 2;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_STANDARD_INFO {
    pub AllocationSize: i64,
    pub EndOfFile: i64,
    pub NumberOfLinks: u32,
    pub DeletePending: bool,
    pub Directory: bool,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_STORAGE_INFO {
    pub LogicalBytesPerSector: u32,
    pub PhysicalBytesPerSectorForAtomicity: u32,
    pub PhysicalBytesPerSectorForPerformance: u32,
    pub FileSystemEffectivePhysicalBytesPerSectorForAtomicity: u32,
    pub Flags: u32,
    pub ByteOffsetForSectorAlignment: u32,
    pub ByteOffsetForPartitionAlignment: u32,
}
pub const FILE_SUPPORTS_HARD_LINKS: i32 = 4194304;
pub const FILE_SUPPORTS_SPARSE_FILES: i32 = 64;
pub const FILE_TYPE_CHAR: i32 = 2;
pub const FILE_TYPE_DISK: i32 = 1;
pub const FILE_TYPE_PIPE: i32 = 3;
pub const FILE_TYPE_UNKNOWN: i32 = 0;
pub const FILE_VOLUME_IS_COMPRESSED: i32 = 32768;
pub const FILE_WRITE_ATTRIBUTES: i32 = 256;
pub const FILE_WRITE_DATA: i32 = 2;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FILE_ZERO_DATA_INFORMATION {
    pub FileOffset: i64,
    pub BeyondFinalZero: i64,
}
pub const FSCTL_ALLOW_EXTENDED_DASD_IO: i32 = 589955;
pub const FSCTL_DISMOUNT_VOLUME: i32 = 589856;
pub const FSCTL_GET_COMPRESSION: i32 = 589884;
pub const FSCTL_GET_NTFS_VOLUME_DATA: i32 = 589924;
pub const FSCTL_GET_RETRIEVAL_POINTERS: i32 = 589939;
pub const FSCTL_GET_RETRIEVAL_POINTER_BASE: i32 = 590388;
pub const FSCTL_GET_VOLUME_BITMAP: i32 = 589935;
pub const FSCTL_IS_VOLUME_MOUNTED: i32 = 589864;
pub const FSCTL_LOCK_VOLUME: i32 = 589848;
pub const FSCTL_QUERY_ALLOCATED_RANGES: i32 = 606415;
pub const FSCTL_QUERY_FILE_SYSTEM_RECOGNITION: i32 = 590412;
pub const FSCTL_QUERY_VOLUME_CONTAINER_STATE: i32 = 590736;
pub const FSCTL_SET_COMPRESSION: i32 = 639040;
pub const FSCTL_SET_SPARSE: i32 = 590020;
pub const FSCTL_SET_ZERO_DATA: i32 = 622792;
pub const FSCTL_UNLOCK_VOLUME: i32 = 589852;
pub const FVE_E_LOCKED_VOLUME: windows_core::HRESULT = windows_core::HRESULT(0x80310000_u32 as _);
pub const FileAlignmentInfo: FILE_INFO_BY_HANDLE_CLASS = 17;
pub const FileAllocationInfo: FILE_INFO_BY_HANDLE_CLASS = 5;
pub const FileAttributeTagInfo: FILE_INFO_BY_HANDLE_CLASS = 9;
pub const FileBasicInfo: FILE_INFO_BY_HANDLE_CLASS = 0;
pub const FileCaseSensitiveInfo: FILE_INFO_BY_HANDLE_CLASS = 23;
pub const FileCompressionInfo: FILE_INFO_BY_HANDLE_CLASS = 8;
pub const FileDispositionInfo: FILE_INFO_BY_HANDLE_CLASS = 4;
pub const FileDispositionInfoEx: FILE_INFO_BY_HANDLE_CLASS = 21;
pub const FileEndOfFileInfo: FILE_INFO_BY_HANDLE_CLASS = 6;
pub const FileFullDirectoryInfo: FILE_INFO_BY_HANDLE_CLASS = 14;
pub const FileFullDirectoryRestartInfo: FILE_INFO_BY_HANDLE_CLASS = 15;
pub const FileIdBothDirectoryInfo: FILE_INFO_BY_HANDLE_CLASS = 10;
pub const FileIdBothDirectoryRestartInfo: FILE_INFO_BY_HANDLE_CLASS = 11;
pub const FileIdExtdDirectoryInfo: FILE_INFO_BY_HANDLE_CLASS = 19;
pub const FileIdExtdDirectoryRestartInfo: FILE_INFO_BY_HANDLE_CLASS = 20;
pub const FileIdInfo: FILE_INFO_BY_HANDLE_CLASS = 18;
pub const FileIoPriorityHintInfo: FILE_INFO_BY_HANDLE_CLASS = 12;
pub const FileNameInfo: FILE_INFO_BY_HANDLE_CLASS = 2;
pub const FileNormalizedNameInfo: FILE_INFO_BY_HANDLE_CLASS = 24;
pub const FileRemoteProtocolInfo: FILE_INFO_BY_HANDLE_CLASS = 13;
pub const FileRenameInfo: FILE_INFO_BY_HANDLE_CLASS = 3;
pub const FileRenameInfoEx: FILE_INFO_BY_HANDLE_CLASS = 22;
pub const FileStandardInfo: FILE_INFO_BY_HANDLE_CLASS = 1;
pub const FileStorageInfo: FILE_INFO_BY_HANDLE_CLASS = 16;
pub const FileStreamInfo: FILE_INFO_BY_HANDLE_CLASS = 7;
pub const FixedMedia: MEDIA_TYPE = 12;
pub const GENERIC_READ: u32 = 2147483648;
pub const GENERIC_WRITE: i32 = 1073741824;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GET_CONFIGURATION_HEADER {
    pub DataLength: [u8; 4],
    pub Reserved: [u8; 2],
    pub CurrentProfile: [u8; 2],
    pub Data: [u8; 0],
}
impl Default for GET_CONFIGURATION_HEADER {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GET_CONFIGURATION_IOCTL_INPUT {
    pub Feature: FEATURE_NUMBER,
    pub RequestType: u32,
    pub Reserved: [*mut core::ffi::c_void; 2],
}
impl Default for GET_CONFIGURATION_IOCTL_INPUT {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GET_DISK_ATTRIBUTES {
    pub Version: u32,
    pub Reserved1: u32,
    pub Attributes: DWORDLONG,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GET_LENGTH_INFORMATION {
    pub Length: i64,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct GET_MEDIA_TYPES {
    pub DeviceType: u32,
    pub MediaInfoCount: u32,
    pub MediaInfo: [DEVICE_MEDIA_INFO; 1],
}
impl Default for GET_MEDIA_TYPES {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const GUID_DEVINTERFACE_CDROM: windows_core::GUID =
    windows_core::GUID::from_u128(0x53f56308_b6bf_11d0_94f2_00a0c91efb8b);
pub const GUID_DEVINTERFACE_DISK: windows_core::GUID =
    windows_core::GUID::from_u128(0x53f56307_b6bf_11d0_94f2_00a0c91efb8b);
pub const GUID_DEVINTERFACE_VOLUME: windows_core::GUID =
    windows_core::GUID::from_u128(0x53f5630d_b6bf_11d0_94f2_00a0c91efb8b);
pub type HANDLE = *mut core::ffi::c_void;
pub type HDEVINFO = *mut core::ffi::c_void;
pub type HINSTANCE = *mut core::ffi::c_void;
pub type HKEY = *mut core::ffi::c_void;
pub const HKEY_LOCAL_MACHINE: HKEY = -2147483646 as _;
pub type HLOCAL = HANDLE;
pub type HMODULE = HINSTANCE;
pub type HWND = *mut core::ffi::c_void;
windows_core::imp::define_interface!(IDispatch, IDispatch_Vtbl, 0x00020400_0000_0000_c000_000000000046);
windows_core::imp::interface_hierarchy!(IDispatch, windows_core::IUnknown);
#[repr(C)]
pub struct IDispatch_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    GetTypeInfoCount: usize,
    GetTypeInfo: usize,
    GetIDsOfNames: usize,
    Invoke: usize,
}
impl windows_core::RuntimeName for IDispatch {}
pub const INVALID_FILE_ATTRIBUTES: u32 = 4294967295;
pub const INVALID_FILE_SIZE: u32 = 4294967295;
pub const INVALID_HANDLE_VALUE: HANDLE = -1 as _;
pub const IOCTL_CDROM_CHECK_VERIFY: i32 = 149504;
pub const IOCTL_CDROM_DISK_TYPE: i32 = 131136;
pub const IOCTL_CDROM_EJECT_MEDIA: i32 = 149512;
pub const IOCTL_CDROM_EXCLUSIVE_ACCESS: i32 = 180316;
pub const IOCTL_CDROM_GET_CONFIGURATION: i32 = 147544;
pub const IOCTL_CDROM_GET_DRIVE_GEOMETRY: i32 = 147532;
pub const IOCTL_CDROM_GET_DRIVE_GEOMETRY_EX: i32 = 147536;
pub const IOCTL_CDROM_GET_LAST_SESSION: i32 = 147512;
pub const IOCTL_CDROM_MEDIA_REMOVAL: i32 = 149508;
pub const IOCTL_CDROM_RAW_READ: i32 = 147518;
pub const IOCTL_CDROM_READ_Q_CHANNEL: i32 = 147500;
pub const IOCTL_CDROM_READ_TOC: i32 = 147456;
pub const IOCTL_CDROM_READ_TOC_EX: i32 = 147540;
pub const IOCTL_DISK_GET_DISK_ATTRIBUTES: i32 = 458992;
pub const IOCTL_DISK_GET_DRIVE_GEOMETRY: i32 = 458752;
pub const IOCTL_DISK_GET_DRIVE_GEOMETRY_EX: i32 = 458912;
pub const IOCTL_DISK_GET_DRIVE_LAYOUT_EX: i32 = 458832;
pub const IOCTL_DISK_GET_LENGTH_INFO: i32 = 475228;
pub const IOCTL_DISK_GET_PARTITION_INFO_EX: i32 = 458824;
pub const IOCTL_DISK_IS_WRITABLE: i32 = 458788;
pub const IOCTL_DISK_MEDIA_REMOVAL: i32 = 477188;
pub const IOCTL_DISK_PERFORMANCE: i32 = 458784;
pub const IOCTL_DISK_PERFORMANCE_OFF: i32 = 458848;
pub const IOCTL_DISK_SET_DISK_ATTRIBUTES: i32 = 508148;
pub const IOCTL_DISK_UPDATE_DRIVE_SIZE: i32 = 508104;
pub const IOCTL_DISK_UPDATE_PROPERTIES: i32 = 459072;
pub const IOCTL_SCSI_GET_ADDRESS: i32 = 266264;
pub const IOCTL_SCSI_GET_INQUIRY_DATA: i32 = 266252;
pub const IOCTL_SCSI_PASS_THROUGH: i32 = 315396;
pub const IOCTL_SCSI_PASS_THROUGH_DIRECT: i32 = 315412;
pub const IOCTL_STORAGE_CHECK_VERIFY: i32 = 2967552;
pub const IOCTL_STORAGE_CHECK_VERIFY2: i32 = 2951168;
pub const IOCTL_STORAGE_EJECTION_CONTROL: i32 = 2951488;
pub const IOCTL_STORAGE_EJECT_MEDIA: i32 = 2967560;
pub const IOCTL_STORAGE_GET_DEVICE_NUMBER: i32 = 2953344;
pub const IOCTL_STORAGE_GET_DEVICE_NUMBER_EX: i32 = 2953348;
pub const IOCTL_STORAGE_GET_HOTPLUG_INFO: i32 = 2952212;
pub const IOCTL_STORAGE_GET_MEDIA_SERIAL_NUMBER: i32 = 2952208;
pub const IOCTL_STORAGE_GET_MEDIA_TYPES_EX: i32 = 2952196;
pub const IOCTL_STORAGE_LOAD_MEDIA: i32 = 2967564;
pub const IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES: i32 = 2987012;
pub const IOCTL_STORAGE_MEDIA_REMOVAL: i32 = 2967556;
pub const IOCTL_STORAGE_QUERY_PROPERTY: i32 = 2954240;
pub const IOCTL_STORAGE_READ_CAPACITY: i32 = 2969920;
pub const IOCTL_VOLUME_GET_GPT_ATTRIBUTES: i32 = 5636152;
pub const IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS: i32 = 5636096;
pub const IOCTL_VOLUME_IS_CLUSTERED: i32 = 5636144;
pub const IOCTL_VOLUME_IS_OFFLINE: i32 = 5636112;
pub const IOCTL_VOLUME_OFFLINE: i32 = 5685260;
pub const IOCTL_VOLUME_ONLINE: i32 = 5685256;
windows_core::imp::define_interface!(IVssAsync, IVssAsync_Vtbl, 0x507c37b4_cf5b_4e95_b0af_14eb9767467e);
windows_core::imp::interface_hierarchy!(IVssAsync, windows_core::IUnknown);
impl IVssAsync {
    pub unsafe fn Cancel(&self) -> windows_core::HRESULT {
        unsafe { (windows_core::Interface::vtable(self).Cancel)(windows_core::Interface::as_raw(self)) }
    }
    pub unsafe fn Wait(&self, dwmilliseconds: u32) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).Wait)(
                windows_core::Interface::as_raw(self),
                dwmilliseconds,
            )
        }
    }
    pub unsafe fn QueryStatus(
        &self,
        phrresult: *mut windows_core::HRESULT,
        preserved: *mut i32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).QueryStatus)(
                windows_core::Interface::as_raw(self),
                phrresult as _,
                preserved as _,
            )
        }
    }
}
#[repr(C)]
pub struct IVssAsync_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    pub Cancel: unsafe extern "system" fn(*mut core::ffi::c_void) -> windows_core::HRESULT,
    pub Wait: unsafe extern "system" fn(*mut core::ffi::c_void, u32) -> windows_core::HRESULT,
    pub QueryStatus: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut windows_core::HRESULT,
        *mut i32,
    ) -> windows_core::HRESULT,
}
pub trait IVssAsync_Impl: windows_core::IUnknownImpl {
    fn Cancel(&self) -> windows_core::Result<()>;
    fn Wait(&self, dwmilliseconds: u32) -> windows_core::Result<()>;
    fn QueryStatus(
        &self,
        phrresult: *mut windows_core::HRESULT,
        preserved: *mut i32,
    ) -> windows_core::Result<()>;
}
impl IVssAsync_Vtbl {
    pub const fn new<Identity: IVssAsync_Impl, const OFFSET: isize>() -> Self {
        unsafe extern "system" fn Cancel<Identity: IVssAsync_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssAsync_Impl::Cancel(this).into()
            }
        }
        unsafe extern "system" fn Wait<Identity: IVssAsync_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            dwmilliseconds: u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssAsync_Impl::Wait(this, core::mem::transmute_copy(&dwmilliseconds)).into()
            }
        }
        unsafe extern "system" fn QueryStatus<Identity: IVssAsync_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            phrresult: *mut windows_core::HRESULT,
            preserved: *mut i32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssAsync_Impl::QueryStatus(
                    this,
                    core::mem::transmute_copy(&phrresult),
                    core::mem::transmute_copy(&preserved),
                )
                .into()
            }
        }
        Self {
            base__: windows_core::IUnknown_Vtbl::new::<Identity, OFFSET>(),
            Cancel: Cancel::<Identity, OFFSET>,
            Wait: Wait::<Identity, OFFSET>,
            QueryStatus: QueryStatus::<Identity, OFFSET>,
        }
    }
    pub fn matches(iid: &windows_core::GUID) -> bool {
        iid == &<IVssAsync as windows_core::Interface>::IID
    }
}
impl windows_core::RuntimeName for IVssAsync {}
windows_core::imp::define_interface!(
    IVssBackupComponents,
    IVssBackupComponents_Vtbl,
    0x665c1d5f_c218_414d_a05d_7fef5f9d5c86
);
windows_core::imp::interface_hierarchy!(IVssBackupComponents, windows_core::IUnknown);
impl IVssBackupComponents {
    pub unsafe fn GetWriterComponentsCount(&self) -> windows_core::Result<u32> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetWriterComponentsCount)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn GetWriterComponents(&self, iwriter: u32) -> windows_core::Result<IVssWriterComponentsExt> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetWriterComponents)(
                windows_core::Interface::as_raw(self),
                iwriter,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn InitializeForBackup(&self, bstrxml: &windows_core::BSTR) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).InitializeForBackup)(
                windows_core::Interface::as_raw(self),
                core::mem::transmute_copy(bstrxml),
            )
        }
    }
    pub unsafe fn SetBackupState(
        &self,
        bselectcomponents: bool,
        bbackupbootablesystemstate: bool,
        backuptype: VSS_BACKUP_TYPE,
        bpartialfilesupport: bool,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).SetBackupState)(
                windows_core::Interface::as_raw(self),
                bselectcomponents,
                bbackupbootablesystemstate,
                backuptype,
                bpartialfilesupport,
            )
        }
    }
    pub unsafe fn InitializeForRestore(&self, bstrxml: &windows_core::BSTR) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).InitializeForRestore)(
                windows_core::Interface::as_raw(self),
                core::mem::transmute_copy(bstrxml),
            )
        }
    }
    pub unsafe fn SetRestoreState(&self, restoretype: VSS_RESTORE_TYPE) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).SetRestoreState)(
                windows_core::Interface::as_raw(self),
                restoretype,
            )
        }
    }
    pub unsafe fn GatherWriterMetadata(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GatherWriterMetadata)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetWriterMetadataCount(&self) -> windows_core::Result<u32> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetWriterMetadataCount)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn GetWriterMetadata(
        &self,
        iwriter: u32,
        pidinstance: *mut VSS_ID,
        ppmetadata: *mut Option<IVssExamineWriterMetadata>,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).GetWriterMetadata)(
                windows_core::Interface::as_raw(self),
                iwriter,
                pidinstance as _,
                core::mem::transmute(ppmetadata),
            )
        }
    }
    pub unsafe fn FreeWriterMetadata(&self) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).FreeWriterMetadata)(windows_core::Interface::as_raw(self))
        }
    }
    pub unsafe fn AddComponent<P3, P4>(
        &self,
        instanceid: VSS_ID,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P3,
        wszcomponentname: P4,
    ) -> windows_core::HRESULT
    where
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).AddComponent)(
                windows_core::Interface::as_raw(self),
                instanceid,
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
            )
        }
    }
    pub unsafe fn PrepareForBackup(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).PrepareForBackup)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn AbortBackup(&self) -> windows_core::HRESULT {
        unsafe { (windows_core::Interface::vtable(self).AbortBackup)(windows_core::Interface::as_raw(self)) }
    }
    pub unsafe fn GatherWriterStatus(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GatherWriterStatus)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetWriterStatusCount(&self) -> windows_core::Result<u32> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetWriterStatusCount)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn FreeWriterStatus(&self) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).FreeWriterStatus)(windows_core::Interface::as_raw(self))
        }
    }
    pub unsafe fn GetWriterStatus(
        &self,
        iwriter: u32,
        pidinstance: *mut VSS_ID,
        pidwriter: *mut VSS_ID,
        pbstrwriter: *mut windows_core::BSTR,
        pnstatus: *mut VSS_WRITER_STATE,
        phresultfailure: *mut windows_core::HRESULT,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).GetWriterStatus)(
                windows_core::Interface::as_raw(self),
                iwriter,
                pidinstance as _,
                pidwriter as _,
                core::mem::transmute(pbstrwriter),
                pnstatus as _,
                phresultfailure as _,
            )
        }
    }
    pub unsafe fn SetBackupSucceeded<P3, P4>(
        &self,
        instanceid: VSS_ID,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P3,
        wszcomponentname: P4,
        bsucceded: bool,
    ) -> windows_core::HRESULT
    where
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetBackupSucceeded)(
                windows_core::Interface::as_raw(self),
                instanceid,
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                bsucceded,
            )
        }
    }
    pub unsafe fn SetBackupOptions<P2, P3, P4>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        wszbackupoptions: P4,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetBackupOptions)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                wszbackupoptions.param().abi(),
            )
        }
    }
    pub unsafe fn SetSelectedForRestore<P2, P3>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        bselectedforrestore: bool,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetSelectedForRestore)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                bselectedforrestore,
            )
        }
    }
    pub unsafe fn SetRestoreOptions<P2, P3, P4>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        wszrestoreoptions: P4,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetRestoreOptions)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                wszrestoreoptions.param().abi(),
            )
        }
    }
    pub unsafe fn SetAdditionalRestores<P2, P3>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        badditionalrestores: bool,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetAdditionalRestores)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                badditionalrestores,
            )
        }
    }
    pub unsafe fn SetPreviousBackupStamp<P2, P3, P4>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        wszpreviousbackupstamp: P4,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetPreviousBackupStamp)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                wszpreviousbackupstamp.param().abi(),
            )
        }
    }
    pub unsafe fn SaveAsXML(&self, pbstrxml: *const windows_core::BSTR) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).SaveAsXML)(
                windows_core::Interface::as_raw(self),
                core::mem::transmute(pbstrxml),
            )
        }
    }
    pub unsafe fn BackupComplete(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).BackupComplete)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn AddAlternativeLocationMapping<P2, P3, P4, P5, P7>(
        &self,
        writerid: VSS_ID,
        componenttype: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        wszpath: P4,
        wszfilespec: P5,
        brecursive: bool,
        wszdestination: P7,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
        P5: windows_core::Param<windows_core::PCWSTR>,
        P7: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).AddAlternativeLocationMapping)(
                windows_core::Interface::as_raw(self),
                writerid,
                componenttype,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                wszpath.param().abi(),
                wszfilespec.param().abi(),
                brecursive,
                wszdestination.param().abi(),
            )
        }
    }
    pub unsafe fn AddRestoreSubcomponent<P2, P3, P4, P5>(
        &self,
        writerid: VSS_ID,
        componenttype: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        wszsubcomponentlogicalpath: P4,
        wszsubcomponentname: P5,
        brepair: bool,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
        P5: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).AddRestoreSubcomponent)(
                windows_core::Interface::as_raw(self),
                writerid,
                componenttype,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                wszsubcomponentlogicalpath.param().abi(),
                wszsubcomponentname.param().abi(),
                brepair,
            )
        }
    }
    pub unsafe fn SetFileRestoreStatus<P2, P3>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        status: VSS_FILE_RESTORE_STATUS,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetFileRestoreStatus)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                status,
            )
        }
    }
    pub unsafe fn AddNewTarget<P2, P3, P4, P5, P7>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        wszpath: P4,
        wszfilename: P5,
        brecursive: bool,
        wszalternatepath: P7,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P4: windows_core::Param<windows_core::PCWSTR>,
        P5: windows_core::Param<windows_core::PCWSTR>,
        P7: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).AddNewTarget)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                wszpath.param().abi(),
                wszfilename.param().abi(),
                brecursive,
                wszalternatepath.param().abi(),
            )
        }
    }
    pub unsafe fn SetRangesFilePath<P2, P3, P5>(
        &self,
        writerid: VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: P2,
        wszcomponentname: P3,
        ipartialfile: u32,
        wszrangesfile: P5,
    ) -> windows_core::HRESULT
    where
        P2: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
        P5: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).SetRangesFilePath)(
                windows_core::Interface::as_raw(self),
                writerid,
                ct,
                wszlogicalpath.param().abi(),
                wszcomponentname.param().abi(),
                ipartialfile,
                wszrangesfile.param().abi(),
            )
        }
    }
    pub unsafe fn PreRestore(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).PreRestore)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn PostRestore(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).PostRestore)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn SetContext(&self, lcontext: i32) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).SetContext)(
                windows_core::Interface::as_raw(self),
                lcontext,
            )
        }
    }
    pub unsafe fn StartSnapshotSet(&self) -> windows_core::Result<VSS_ID> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).StartSnapshotSet)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn AddToSnapshotSet<P0>(
        &self,
        pwszvolumename: P0,
        providerid: VSS_ID,
    ) -> windows_core::Result<VSS_ID>
    where
        P0: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).AddToSnapshotSet)(
                windows_core::Interface::as_raw(self),
                pwszvolumename.param().abi(),
                providerid,
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn DoSnapshotSet(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).DoSnapshotSet)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn DeleteSnapshots(
        &self,
        sourceobjectid: VSS_ID,
        esourceobjecttype: VSS_OBJECT_TYPE,
        bforcedelete: bool,
        pldeletedsnapshots: *const i32,
        pnondeletedsnapshotid: *const VSS_ID,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).DeleteSnapshots)(
                windows_core::Interface::as_raw(self),
                sourceobjectid,
                esourceobjecttype,
                bforcedelete.into(),
                pldeletedsnapshots,
                pnondeletedsnapshotid,
            )
        }
    }
    pub unsafe fn ImportSnapshots(&self) -> windows_core::Result<IVssAsync> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).ImportSnapshots)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn BreakSnapshotSet(&self, snapshotsetid: VSS_ID) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).BreakSnapshotSet)(
                windows_core::Interface::as_raw(self),
                snapshotsetid,
            )
        }
    }
    pub unsafe fn GetSnapshotProperties(
        &self,
        snapshotid: VSS_ID,
        pprop: *mut VSS_SNAPSHOT_PROP,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).GetSnapshotProperties)(
                windows_core::Interface::as_raw(self),
                snapshotid,
                pprop as _,
            )
        }
    }
    pub unsafe fn Query(
        &self,
        queriedobjectid: VSS_ID,
        equeriedobjecttype: VSS_OBJECT_TYPE,
        ereturnedobjectstype: VSS_OBJECT_TYPE,
        ppenum: *const Option<IVssEnumObject>,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).Query)(
                windows_core::Interface::as_raw(self),
                queriedobjectid,
                equeriedobjecttype,
                ereturnedobjectstype,
                core::mem::transmute(ppenum),
            )
        }
    }
    pub unsafe fn IsVolumeSupported<P1>(
        &self,
        providerid: VSS_ID,
        pwszvolumename: P1,
        pbsupportedbythisprovider: *const windows_core::BOOL,
    ) -> windows_core::HRESULT
    where
        P1: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            (windows_core::Interface::vtable(self).IsVolumeSupported)(
                windows_core::Interface::as_raw(self),
                providerid,
                pwszvolumename.param().abi(),
                pbsupportedbythisprovider,
            )
        }
    }
    pub unsafe fn DisableWriterClasses(
        &self,
        rgwriterclassid: *const VSS_ID,
        cclassid: u32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).DisableWriterClasses)(
                windows_core::Interface::as_raw(self),
                rgwriterclassid,
                cclassid,
            )
        }
    }
    pub unsafe fn EnableWriterClasses(
        &self,
        rgwriterclassid: *const VSS_ID,
        cclassid: u32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).EnableWriterClasses)(
                windows_core::Interface::as_raw(self),
                rgwriterclassid,
                cclassid,
            )
        }
    }
    pub unsafe fn DisableWriterInstances(
        &self,
        rgwriterinstanceid: *const VSS_ID,
        cinstanceid: u32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).DisableWriterInstances)(
                windows_core::Interface::as_raw(self),
                rgwriterinstanceid,
                cinstanceid,
            )
        }
    }
    pub unsafe fn ExposeSnapshot<P1, P3>(
        &self,
        snapshotid: VSS_ID,
        wszpathfromroot: P1,
        lattributes: i32,
        wszexpose: P3,
    ) -> windows_core::Result<VSS_PWSZ>
    where
        P1: windows_core::Param<windows_core::PCWSTR>,
        P3: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).ExposeSnapshot)(
                windows_core::Interface::as_raw(self),
                snapshotid,
                wszpathfromroot.param().abi(),
                lattributes,
                wszexpose.param().abi(),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn RevertToSnapshot(&self, snapshotid: VSS_ID, bforcedismount: bool) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).RevertToSnapshot)(
                windows_core::Interface::as_raw(self),
                snapshotid,
                bforcedismount.into(),
            )
        }
    }
    pub unsafe fn QueryRevertStatus<P0>(&self, pwszvolume: P0) -> windows_core::Result<IVssAsync>
    where
        P0: windows_core::Param<windows_core::PCWSTR>,
    {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).QueryRevertStatus)(
                windows_core::Interface::as_raw(self),
                pwszvolume.param().abi(),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
}
#[repr(C)]
pub struct IVssBackupComponents_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    pub GetWriterComponentsCount:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut u32) -> windows_core::HRESULT,
    pub GetWriterComponents: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub InitializeForBackup:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut core::ffi::c_void) -> windows_core::HRESULT,
    pub SetBackupState: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        bool,
        bool,
        VSS_BACKUP_TYPE,
        bool,
    ) -> windows_core::HRESULT,
    pub InitializeForRestore:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut core::ffi::c_void) -> windows_core::HRESULT,
    pub SetRestoreState:
        unsafe extern "system" fn(*mut core::ffi::c_void, VSS_RESTORE_TYPE) -> windows_core::HRESULT,
    pub GatherWriterMetadata: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetWriterMetadataCount:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut u32) -> windows_core::HRESULT,
    pub GetWriterMetadata: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut VSS_ID,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub FreeWriterMetadata: unsafe extern "system" fn(*mut core::ffi::c_void) -> windows_core::HRESULT,
    pub AddComponent: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub PrepareForBackup: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub AbortBackup: unsafe extern "system" fn(*mut core::ffi::c_void) -> windows_core::HRESULT,
    pub GatherWriterStatus: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetWriterStatusCount:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut u32) -> windows_core::HRESULT,
    pub FreeWriterStatus: unsafe extern "system" fn(*mut core::ffi::c_void) -> windows_core::HRESULT,
    pub GetWriterStatus: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut VSS_ID,
        *mut VSS_ID,
        *mut *mut core::ffi::c_void,
        *mut VSS_WRITER_STATE,
        *mut windows_core::HRESULT,
    ) -> windows_core::HRESULT,
    pub SetBackupSucceeded: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        bool,
    ) -> windows_core::HRESULT,
    pub SetBackupOptions: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub SetSelectedForRestore: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        bool,
    ) -> windows_core::HRESULT,
    pub SetRestoreOptions: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub SetAdditionalRestores: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        bool,
    ) -> windows_core::HRESULT,
    pub SetPreviousBackupStamp: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub SaveAsXML: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *const *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub BackupComplete: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub AddAlternativeLocationMapping: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        bool,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub AddRestoreSubcomponent: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        bool,
    ) -> windows_core::HRESULT,
    pub SetFileRestoreStatus: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        VSS_FILE_RESTORE_STATUS,
    ) -> windows_core::HRESULT,
    pub AddNewTarget: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        bool,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub SetRangesFilePath: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_COMPONENT_TYPE,
        windows_core::PCWSTR,
        windows_core::PCWSTR,
        u32,
        windows_core::PCWSTR,
    ) -> windows_core::HRESULT,
    pub PreRestore: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub PostRestore: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub SetContext: unsafe extern "system" fn(*mut core::ffi::c_void, i32) -> windows_core::HRESULT,
    pub StartSnapshotSet:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut VSS_ID) -> windows_core::HRESULT,
    pub AddToSnapshotSet: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        windows_core::PCWSTR,
        VSS_ID,
        *mut VSS_ID,
    ) -> windows_core::HRESULT,
    pub DoSnapshotSet: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub DeleteSnapshots: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_OBJECT_TYPE,
        windows_core::BOOL,
        *const i32,
        *const VSS_ID,
    ) -> windows_core::HRESULT,
    pub ImportSnapshots: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub BreakSnapshotSet: unsafe extern "system" fn(*mut core::ffi::c_void, VSS_ID) -> windows_core::HRESULT,
    pub GetSnapshotProperties: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        *mut VSS_SNAPSHOT_PROP,
    ) -> windows_core::HRESULT,
    pub Query: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        VSS_OBJECT_TYPE,
        VSS_OBJECT_TYPE,
        *const *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub IsVolumeSupported: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        windows_core::PCWSTR,
        *const windows_core::BOOL,
    ) -> windows_core::HRESULT,
    pub DisableWriterClasses:
        unsafe extern "system" fn(*mut core::ffi::c_void, *const VSS_ID, u32) -> windows_core::HRESULT,
    pub EnableWriterClasses:
        unsafe extern "system" fn(*mut core::ffi::c_void, *const VSS_ID, u32) -> windows_core::HRESULT,
    pub DisableWriterInstances:
        unsafe extern "system" fn(*mut core::ffi::c_void, *const VSS_ID, u32) -> windows_core::HRESULT,
    pub ExposeSnapshot: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        windows_core::PCWSTR,
        i32,
        windows_core::PCWSTR,
        *mut VSS_PWSZ,
    ) -> windows_core::HRESULT,
    pub RevertToSnapshot: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        VSS_ID,
        windows_core::BOOL,
    ) -> windows_core::HRESULT,
    pub QueryRevertStatus: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        windows_core::PCWSTR,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
}
pub trait IVssBackupComponents_Impl: windows_core::IUnknownImpl {
    fn GetWriterComponentsCount(&self) -> windows_core::Result<u32>;
    fn GetWriterComponents(&self, iwriter: u32) -> windows_core::Result<IVssWriterComponentsExt>;
    fn InitializeForBackup(&self, bstrxml: &windows_core::BSTR) -> windows_core::Result<()>;
    fn SetBackupState(
        &self,
        bselectcomponents: bool,
        bbackupbootablesystemstate: bool,
        backuptype: VSS_BACKUP_TYPE,
        bpartialfilesupport: bool,
    ) -> windows_core::Result<()>;
    fn InitializeForRestore(&self, bstrxml: &windows_core::BSTR) -> windows_core::Result<()>;
    fn SetRestoreState(&self, restoretype: VSS_RESTORE_TYPE) -> windows_core::Result<()>;
    fn GatherWriterMetadata(&self) -> windows_core::Result<IVssAsync>;
    fn GetWriterMetadataCount(&self) -> windows_core::Result<u32>;
    fn GetWriterMetadata(
        &self,
        iwriter: u32,
        pidinstance: *mut VSS_ID,
        ppmetadata: windows_core::OutRef<IVssExamineWriterMetadata>,
    ) -> windows_core::Result<()>;
    fn FreeWriterMetadata(&self) -> windows_core::Result<()>;
    fn AddComponent(
        &self,
        instanceid: &VSS_ID,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn PrepareForBackup(&self) -> windows_core::Result<IVssAsync>;
    fn AbortBackup(&self) -> windows_core::Result<()>;
    fn GatherWriterStatus(&self) -> windows_core::Result<IVssAsync>;
    fn GetWriterStatusCount(&self) -> windows_core::Result<u32>;
    fn FreeWriterStatus(&self) -> windows_core::Result<()>;
    fn GetWriterStatus(
        &self,
        iwriter: u32,
        pidinstance: *mut VSS_ID,
        pidwriter: *mut VSS_ID,
        pbstrwriter: *mut windows_core::BSTR,
        pnstatus: *mut VSS_WRITER_STATE,
        phresultfailure: *mut windows_core::HRESULT,
    ) -> windows_core::Result<()>;
    fn SetBackupSucceeded(
        &self,
        instanceid: &VSS_ID,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        bsucceded: bool,
    ) -> windows_core::Result<()>;
    fn SetBackupOptions(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        wszbackupoptions: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn SetSelectedForRestore(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        bselectedforrestore: bool,
    ) -> windows_core::Result<()>;
    fn SetRestoreOptions(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        wszrestoreoptions: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn SetAdditionalRestores(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        badditionalrestores: bool,
    ) -> windows_core::Result<()>;
    fn SetPreviousBackupStamp(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        wszpreviousbackupstamp: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn SaveAsXML(&self, pbstrxml: *const windows_core::BSTR) -> windows_core::Result<()>;
    fn BackupComplete(&self) -> windows_core::Result<IVssAsync>;
    fn AddAlternativeLocationMapping(
        &self,
        writerid: &VSS_ID,
        componenttype: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        wszpath: &windows_core::PCWSTR,
        wszfilespec: &windows_core::PCWSTR,
        brecursive: bool,
        wszdestination: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn AddRestoreSubcomponent(
        &self,
        writerid: &VSS_ID,
        componenttype: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        wszsubcomponentlogicalpath: &windows_core::PCWSTR,
        wszsubcomponentname: &windows_core::PCWSTR,
        brepair: bool,
    ) -> windows_core::Result<()>;
    fn SetFileRestoreStatus(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        status: VSS_FILE_RESTORE_STATUS,
    ) -> windows_core::Result<()>;
    fn AddNewTarget(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        wszpath: &windows_core::PCWSTR,
        wszfilename: &windows_core::PCWSTR,
        brecursive: bool,
        wszalternatepath: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn SetRangesFilePath(
        &self,
        writerid: &VSS_ID,
        ct: VSS_COMPONENT_TYPE,
        wszlogicalpath: &windows_core::PCWSTR,
        wszcomponentname: &windows_core::PCWSTR,
        ipartialfile: u32,
        wszrangesfile: &windows_core::PCWSTR,
    ) -> windows_core::Result<()>;
    fn PreRestore(&self) -> windows_core::Result<IVssAsync>;
    fn PostRestore(&self) -> windows_core::Result<IVssAsync>;
    fn SetContext(&self, lcontext: i32) -> windows_core::Result<()>;
    fn StartSnapshotSet(&self) -> windows_core::Result<VSS_ID>;
    fn AddToSnapshotSet(
        &self,
        pwszvolumename: &windows_core::PCWSTR,
        providerid: &VSS_ID,
    ) -> windows_core::Result<VSS_ID>;
    fn DoSnapshotSet(&self) -> windows_core::Result<IVssAsync>;
    fn DeleteSnapshots(
        &self,
        sourceobjectid: &VSS_ID,
        esourceobjecttype: VSS_OBJECT_TYPE,
        bforcedelete: windows_core::BOOL,
        pldeletedsnapshots: *const i32,
        pnondeletedsnapshotid: *const VSS_ID,
    ) -> windows_core::Result<()>;
    fn ImportSnapshots(&self) -> windows_core::Result<IVssAsync>;
    fn BreakSnapshotSet(&self, snapshotsetid: &VSS_ID) -> windows_core::Result<()>;
    fn GetSnapshotProperties(
        &self,
        snapshotid: &VSS_ID,
        pprop: *mut VSS_SNAPSHOT_PROP,
    ) -> windows_core::Result<()>;
    fn Query(
        &self,
        queriedobjectid: &VSS_ID,
        equeriedobjecttype: VSS_OBJECT_TYPE,
        ereturnedobjectstype: VSS_OBJECT_TYPE,
        ppenum: *const Option<IVssEnumObject>,
    ) -> windows_core::Result<()>;
    fn IsVolumeSupported(
        &self,
        providerid: &VSS_ID,
        pwszvolumename: &windows_core::PCWSTR,
        pbsupportedbythisprovider: *const windows_core::BOOL,
    ) -> windows_core::Result<()>;
    fn DisableWriterClasses(&self, rgwriterclassid: *const VSS_ID, cclassid: u32)
    -> windows_core::Result<()>;
    fn EnableWriterClasses(&self, rgwriterclassid: *const VSS_ID, cclassid: u32) -> windows_core::Result<()>;
    fn DisableWriterInstances(
        &self,
        rgwriterinstanceid: *const VSS_ID,
        cinstanceid: u32,
    ) -> windows_core::Result<()>;
    fn ExposeSnapshot(
        &self,
        snapshotid: &VSS_ID,
        wszpathfromroot: &windows_core::PCWSTR,
        lattributes: i32,
        wszexpose: &windows_core::PCWSTR,
    ) -> windows_core::Result<VSS_PWSZ>;
    fn RevertToSnapshot(
        &self,
        snapshotid: &VSS_ID,
        bforcedismount: windows_core::BOOL,
    ) -> windows_core::Result<()>;
    fn QueryRevertStatus(&self, pwszvolume: &windows_core::PCWSTR) -> windows_core::Result<IVssAsync>;
}
impl IVssBackupComponents_Vtbl {
    pub const fn new<Identity: IVssBackupComponents_Impl, const OFFSET: isize>() -> Self {
        unsafe extern "system" fn GetWriterComponentsCount<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pccomponents: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::GetWriterComponentsCount(this) {
                    Ok(ok__) => {
                        pccomponents.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetWriterComponents<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            iwriter: u32,
            ppwriter: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::GetWriterComponents(
                    this,
                    core::mem::transmute_copy(&iwriter),
                ) {
                    Ok(ok__) => {
                        ppwriter.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn InitializeForBackup<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            bstrxml: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::InitializeForBackup(this, core::mem::transmute(&bstrxml)).into()
            }
        }
        unsafe extern "system" fn SetBackupState<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            bselectcomponents: bool,
            bbackupbootablesystemstate: bool,
            backuptype: VSS_BACKUP_TYPE,
            bpartialfilesupport: bool,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetBackupState(
                    this,
                    core::mem::transmute_copy(&bselectcomponents),
                    core::mem::transmute_copy(&bbackupbootablesystemstate),
                    core::mem::transmute_copy(&backuptype),
                    core::mem::transmute_copy(&bpartialfilesupport),
                )
                .into()
            }
        }
        unsafe extern "system" fn InitializeForRestore<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            bstrxml: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::InitializeForRestore(this, core::mem::transmute(&bstrxml)).into()
            }
        }
        unsafe extern "system" fn SetRestoreState<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            restoretype: VSS_RESTORE_TYPE,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetRestoreState(this, core::mem::transmute_copy(&restoretype))
                    .into()
            }
        }
        unsafe extern "system" fn GatherWriterMetadata<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::GatherWriterMetadata(this) {
                    Ok(ok__) => {
                        pasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetWriterMetadataCount<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pcwriters: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::GetWriterMetadataCount(this) {
                    Ok(ok__) => {
                        pcwriters.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetWriterMetadata<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            iwriter: u32,
            pidinstance: *mut VSS_ID,
            ppmetadata: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::GetWriterMetadata(
                    this,
                    core::mem::transmute_copy(&iwriter),
                    core::mem::transmute_copy(&pidinstance),
                    core::mem::transmute_copy(&ppmetadata),
                )
                .into()
            }
        }
        unsafe extern "system" fn FreeWriterMetadata<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::FreeWriterMetadata(this).into()
            }
        }
        unsafe extern "system" fn AddComponent<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            instanceid: VSS_ID,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::AddComponent(
                    this,
                    core::mem::transmute(&instanceid),
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                )
                .into()
            }
        }
        unsafe extern "system" fn PrepareForBackup<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::PrepareForBackup(this) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn AbortBackup<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::AbortBackup(this).into()
            }
        }
        unsafe extern "system" fn GatherWriterStatus<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::GatherWriterStatus(this) {
                    Ok(ok__) => {
                        pasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetWriterStatusCount<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pcwriters: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::GetWriterStatusCount(this) {
                    Ok(ok__) => {
                        pcwriters.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn FreeWriterStatus<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::FreeWriterStatus(this).into()
            }
        }
        unsafe extern "system" fn GetWriterStatus<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            iwriter: u32,
            pidinstance: *mut VSS_ID,
            pidwriter: *mut VSS_ID,
            pbstrwriter: *mut *mut core::ffi::c_void,
            pnstatus: *mut VSS_WRITER_STATE,
            phresultfailure: *mut windows_core::HRESULT,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::GetWriterStatus(
                    this,
                    core::mem::transmute_copy(&iwriter),
                    core::mem::transmute_copy(&pidinstance),
                    core::mem::transmute_copy(&pidwriter),
                    core::mem::transmute_copy(&pbstrwriter),
                    core::mem::transmute_copy(&pnstatus),
                    core::mem::transmute_copy(&phresultfailure),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetBackupSucceeded<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            instanceid: VSS_ID,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            bsucceded: bool,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetBackupSucceeded(
                    this,
                    core::mem::transmute(&instanceid),
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute_copy(&bsucceded),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetBackupOptions<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            wszbackupoptions: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetBackupOptions(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute(&wszbackupoptions),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetSelectedForRestore<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            bselectedforrestore: bool,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetSelectedForRestore(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute_copy(&bselectedforrestore),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetRestoreOptions<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            wszrestoreoptions: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetRestoreOptions(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute(&wszrestoreoptions),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetAdditionalRestores<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            badditionalrestores: bool,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetAdditionalRestores(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute_copy(&badditionalrestores),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetPreviousBackupStamp<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            wszpreviousbackupstamp: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetPreviousBackupStamp(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute(&wszpreviousbackupstamp),
                )
                .into()
            }
        }
        unsafe extern "system" fn SaveAsXML<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            pbstrxml: *const *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SaveAsXML(this, core::mem::transmute_copy(&pbstrxml)).into()
            }
        }
        unsafe extern "system" fn BackupComplete<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::BackupComplete(this) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn AddAlternativeLocationMapping<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            componenttype: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            wszpath: windows_core::PCWSTR,
            wszfilespec: windows_core::PCWSTR,
            brecursive: bool,
            wszdestination: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::AddAlternativeLocationMapping(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&componenttype),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute(&wszpath),
                    core::mem::transmute(&wszfilespec),
                    core::mem::transmute_copy(&brecursive),
                    core::mem::transmute(&wszdestination),
                )
                .into()
            }
        }
        unsafe extern "system" fn AddRestoreSubcomponent<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            componenttype: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            wszsubcomponentlogicalpath: windows_core::PCWSTR,
            wszsubcomponentname: windows_core::PCWSTR,
            brepair: bool,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::AddRestoreSubcomponent(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&componenttype),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute(&wszsubcomponentlogicalpath),
                    core::mem::transmute(&wszsubcomponentname),
                    core::mem::transmute_copy(&brepair),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetFileRestoreStatus<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            status: VSS_FILE_RESTORE_STATUS,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetFileRestoreStatus(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute_copy(&status),
                )
                .into()
            }
        }
        unsafe extern "system" fn AddNewTarget<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            wszpath: windows_core::PCWSTR,
            wszfilename: windows_core::PCWSTR,
            brecursive: bool,
            wszalternatepath: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::AddNewTarget(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute(&wszpath),
                    core::mem::transmute(&wszfilename),
                    core::mem::transmute_copy(&brecursive),
                    core::mem::transmute(&wszalternatepath),
                )
                .into()
            }
        }
        unsafe extern "system" fn SetRangesFilePath<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            writerid: VSS_ID,
            ct: VSS_COMPONENT_TYPE,
            wszlogicalpath: windows_core::PCWSTR,
            wszcomponentname: windows_core::PCWSTR,
            ipartialfile: u32,
            wszrangesfile: windows_core::PCWSTR,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetRangesFilePath(
                    this,
                    core::mem::transmute(&writerid),
                    core::mem::transmute_copy(&ct),
                    core::mem::transmute(&wszlogicalpath),
                    core::mem::transmute(&wszcomponentname),
                    core::mem::transmute_copy(&ipartialfile),
                    core::mem::transmute(&wszrangesfile),
                )
                .into()
            }
        }
        unsafe extern "system" fn PreRestore<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::PreRestore(this) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn PostRestore<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::PostRestore(this) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn SetContext<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            lcontext: i32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::SetContext(this, core::mem::transmute_copy(&lcontext)).into()
            }
        }
        unsafe extern "system" fn StartSnapshotSet<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            psnapshotsetid: *mut VSS_ID,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::StartSnapshotSet(this) {
                    Ok(ok__) => {
                        psnapshotsetid.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn AddToSnapshotSet<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pwszvolumename: windows_core::PCWSTR,
            providerid: VSS_ID,
            pidsnapshot: *mut VSS_ID,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::AddToSnapshotSet(
                    this,
                    core::mem::transmute(&pwszvolumename),
                    core::mem::transmute(&providerid),
                ) {
                    Ok(ok__) => {
                        pidsnapshot.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn DoSnapshotSet<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::DoSnapshotSet(this) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn DeleteSnapshots<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            sourceobjectid: VSS_ID,
            esourceobjecttype: VSS_OBJECT_TYPE,
            bforcedelete: windows_core::BOOL,
            pldeletedsnapshots: *const i32,
            pnondeletedsnapshotid: *const VSS_ID,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::DeleteSnapshots(
                    this,
                    core::mem::transmute(&sourceobjectid),
                    core::mem::transmute_copy(&esourceobjecttype),
                    core::mem::transmute_copy(&bforcedelete),
                    core::mem::transmute_copy(&pldeletedsnapshots),
                    core::mem::transmute_copy(&pnondeletedsnapshotid),
                )
                .into()
            }
        }
        unsafe extern "system" fn ImportSnapshots<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::ImportSnapshots(this) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn BreakSnapshotSet<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            snapshotsetid: VSS_ID,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::BreakSnapshotSet(this, core::mem::transmute(&snapshotsetid)).into()
            }
        }
        unsafe extern "system" fn GetSnapshotProperties<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            snapshotid: VSS_ID,
            pprop: *mut VSS_SNAPSHOT_PROP,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::GetSnapshotProperties(
                    this,
                    core::mem::transmute(&snapshotid),
                    core::mem::transmute_copy(&pprop),
                )
                .into()
            }
        }
        unsafe extern "system" fn Query<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            queriedobjectid: VSS_ID,
            equeriedobjecttype: VSS_OBJECT_TYPE,
            ereturnedobjectstype: VSS_OBJECT_TYPE,
            ppenum: *const *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::Query(
                    this,
                    core::mem::transmute(&queriedobjectid),
                    core::mem::transmute_copy(&equeriedobjecttype),
                    core::mem::transmute_copy(&ereturnedobjectstype),
                    core::mem::transmute_copy(&ppenum),
                )
                .into()
            }
        }
        unsafe extern "system" fn IsVolumeSupported<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            providerid: VSS_ID,
            pwszvolumename: windows_core::PCWSTR,
            pbsupportedbythisprovider: *const windows_core::BOOL,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::IsVolumeSupported(
                    this,
                    core::mem::transmute(&providerid),
                    core::mem::transmute(&pwszvolumename),
                    core::mem::transmute_copy(&pbsupportedbythisprovider),
                )
                .into()
            }
        }
        unsafe extern "system" fn DisableWriterClasses<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            rgwriterclassid: *const VSS_ID,
            cclassid: u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::DisableWriterClasses(
                    this,
                    core::mem::transmute_copy(&rgwriterclassid),
                    core::mem::transmute_copy(&cclassid),
                )
                .into()
            }
        }
        unsafe extern "system" fn EnableWriterClasses<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            rgwriterclassid: *const VSS_ID,
            cclassid: u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::EnableWriterClasses(
                    this,
                    core::mem::transmute_copy(&rgwriterclassid),
                    core::mem::transmute_copy(&cclassid),
                )
                .into()
            }
        }
        unsafe extern "system" fn DisableWriterInstances<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            rgwriterinstanceid: *const VSS_ID,
            cinstanceid: u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::DisableWriterInstances(
                    this,
                    core::mem::transmute_copy(&rgwriterinstanceid),
                    core::mem::transmute_copy(&cinstanceid),
                )
                .into()
            }
        }
        unsafe extern "system" fn ExposeSnapshot<Identity: IVssBackupComponents_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            snapshotid: VSS_ID,
            wszpathfromroot: windows_core::PCWSTR,
            lattributes: i32,
            wszexpose: windows_core::PCWSTR,
            pwszexposed: *mut VSS_PWSZ,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::ExposeSnapshot(
                    this,
                    core::mem::transmute(&snapshotid),
                    core::mem::transmute(&wszpathfromroot),
                    core::mem::transmute_copy(&lattributes),
                    core::mem::transmute(&wszexpose),
                ) {
                    Ok(ok__) => {
                        pwszexposed.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn RevertToSnapshot<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            snapshotid: VSS_ID,
            bforcedismount: windows_core::BOOL,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssBackupComponents_Impl::RevertToSnapshot(
                    this,
                    core::mem::transmute(&snapshotid),
                    core::mem::transmute_copy(&bforcedismount),
                )
                .into()
            }
        }
        unsafe extern "system" fn QueryRevertStatus<
            Identity: IVssBackupComponents_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pwszvolume: windows_core::PCWSTR,
            ppasync: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssBackupComponents_Impl::QueryRevertStatus(this, core::mem::transmute(&pwszvolume)) {
                    Ok(ok__) => {
                        ppasync.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        Self {
            base__: windows_core::IUnknown_Vtbl::new::<Identity, OFFSET>(),
            GetWriterComponentsCount: GetWriterComponentsCount::<Identity, OFFSET>,
            GetWriterComponents: GetWriterComponents::<Identity, OFFSET>,
            InitializeForBackup: InitializeForBackup::<Identity, OFFSET>,
            SetBackupState: SetBackupState::<Identity, OFFSET>,
            InitializeForRestore: InitializeForRestore::<Identity, OFFSET>,
            SetRestoreState: SetRestoreState::<Identity, OFFSET>,
            GatherWriterMetadata: GatherWriterMetadata::<Identity, OFFSET>,
            GetWriterMetadataCount: GetWriterMetadataCount::<Identity, OFFSET>,
            GetWriterMetadata: GetWriterMetadata::<Identity, OFFSET>,
            FreeWriterMetadata: FreeWriterMetadata::<Identity, OFFSET>,
            AddComponent: AddComponent::<Identity, OFFSET>,
            PrepareForBackup: PrepareForBackup::<Identity, OFFSET>,
            AbortBackup: AbortBackup::<Identity, OFFSET>,
            GatherWriterStatus: GatherWriterStatus::<Identity, OFFSET>,
            GetWriterStatusCount: GetWriterStatusCount::<Identity, OFFSET>,
            FreeWriterStatus: FreeWriterStatus::<Identity, OFFSET>,
            GetWriterStatus: GetWriterStatus::<Identity, OFFSET>,
            SetBackupSucceeded: SetBackupSucceeded::<Identity, OFFSET>,
            SetBackupOptions: SetBackupOptions::<Identity, OFFSET>,
            SetSelectedForRestore: SetSelectedForRestore::<Identity, OFFSET>,
            SetRestoreOptions: SetRestoreOptions::<Identity, OFFSET>,
            SetAdditionalRestores: SetAdditionalRestores::<Identity, OFFSET>,
            SetPreviousBackupStamp: SetPreviousBackupStamp::<Identity, OFFSET>,
            SaveAsXML: SaveAsXML::<Identity, OFFSET>,
            BackupComplete: BackupComplete::<Identity, OFFSET>,
            AddAlternativeLocationMapping: AddAlternativeLocationMapping::<Identity, OFFSET>,
            AddRestoreSubcomponent: AddRestoreSubcomponent::<Identity, OFFSET>,
            SetFileRestoreStatus: SetFileRestoreStatus::<Identity, OFFSET>,
            AddNewTarget: AddNewTarget::<Identity, OFFSET>,
            SetRangesFilePath: SetRangesFilePath::<Identity, OFFSET>,
            PreRestore: PreRestore::<Identity, OFFSET>,
            PostRestore: PostRestore::<Identity, OFFSET>,
            SetContext: SetContext::<Identity, OFFSET>,
            StartSnapshotSet: StartSnapshotSet::<Identity, OFFSET>,
            AddToSnapshotSet: AddToSnapshotSet::<Identity, OFFSET>,
            DoSnapshotSet: DoSnapshotSet::<Identity, OFFSET>,
            DeleteSnapshots: DeleteSnapshots::<Identity, OFFSET>,
            ImportSnapshots: ImportSnapshots::<Identity, OFFSET>,
            BreakSnapshotSet: BreakSnapshotSet::<Identity, OFFSET>,
            GetSnapshotProperties: GetSnapshotProperties::<Identity, OFFSET>,
            Query: Query::<Identity, OFFSET>,
            IsVolumeSupported: IsVolumeSupported::<Identity, OFFSET>,
            DisableWriterClasses: DisableWriterClasses::<Identity, OFFSET>,
            EnableWriterClasses: EnableWriterClasses::<Identity, OFFSET>,
            DisableWriterInstances: DisableWriterInstances::<Identity, OFFSET>,
            ExposeSnapshot: ExposeSnapshot::<Identity, OFFSET>,
            RevertToSnapshot: RevertToSnapshot::<Identity, OFFSET>,
            QueryRevertStatus: QueryRevertStatus::<Identity, OFFSET>,
        }
    }
    pub fn matches(iid: &windows_core::GUID) -> bool {
        iid == &<IVssBackupComponents as windows_core::Interface>::IID
    }
}
impl windows_core::RuntimeName for IVssBackupComponents {}
windows_core::imp::define_interface!(
    IVssEnumObject,
    IVssEnumObject_Vtbl,
    0xae1c7110_2f60_11d3_8a39_00c04f72d8e3
);
windows_core::imp::interface_hierarchy!(IVssEnumObject, windows_core::IUnknown);
impl IVssEnumObject {
    pub unsafe fn Next(
        &self,
        celt: u32,
        rgelt: *mut VSS_OBJECT_PROP,
        pceltfetched: *mut u32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).Next)(
                windows_core::Interface::as_raw(self),
                celt,
                rgelt as _,
                pceltfetched as _,
            )
        }
    }
    pub unsafe fn Skip(&self, celt: u32) -> windows_core::HRESULT {
        unsafe { (windows_core::Interface::vtable(self).Skip)(windows_core::Interface::as_raw(self), celt) }
    }
    pub unsafe fn Reset(&self) -> windows_core::HRESULT {
        unsafe { (windows_core::Interface::vtable(self).Reset)(windows_core::Interface::as_raw(self)) }
    }
    pub unsafe fn Clone(&self, ppenum: *mut Option<Self>) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).Clone)(
                windows_core::Interface::as_raw(self),
                core::mem::transmute(ppenum),
            )
        }
    }
}
#[repr(C)]
pub struct IVssEnumObject_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    pub Next: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut VSS_OBJECT_PROP,
        *mut u32,
    ) -> windows_core::HRESULT,
    pub Skip: unsafe extern "system" fn(*mut core::ffi::c_void, u32) -> windows_core::HRESULT,
    pub Reset: unsafe extern "system" fn(*mut core::ffi::c_void) -> windows_core::HRESULT,
    pub Clone: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
}
pub trait IVssEnumObject_Impl: windows_core::IUnknownImpl {
    fn Next(
        &self,
        celt: u32,
        rgelt: *mut VSS_OBJECT_PROP,
        pceltfetched: *mut u32,
    ) -> windows_core::Result<()>;
    fn Skip(&self, celt: u32) -> windows_core::Result<()>;
    fn Reset(&self) -> windows_core::Result<()>;
    fn Clone(&self, ppenum: windows_core::OutRef<IVssEnumObject>) -> windows_core::Result<()>;
}
impl IVssEnumObject_Vtbl {
    pub const fn new<Identity: IVssEnumObject_Impl, const OFFSET: isize>() -> Self {
        unsafe extern "system" fn Next<Identity: IVssEnumObject_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            celt: u32,
            rgelt: *mut VSS_OBJECT_PROP,
            pceltfetched: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssEnumObject_Impl::Next(
                    this,
                    core::mem::transmute_copy(&celt),
                    core::mem::transmute_copy(&rgelt),
                    core::mem::transmute_copy(&pceltfetched),
                )
                .into()
            }
        }
        unsafe extern "system" fn Skip<Identity: IVssEnumObject_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            celt: u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssEnumObject_Impl::Skip(this, core::mem::transmute_copy(&celt)).into()
            }
        }
        unsafe extern "system" fn Reset<Identity: IVssEnumObject_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssEnumObject_Impl::Reset(this).into()
            }
        }
        unsafe extern "system" fn Clone<Identity: IVssEnumObject_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ppenum: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssEnumObject_Impl::Clone(this, core::mem::transmute_copy(&ppenum)).into()
            }
        }
        Self {
            base__: windows_core::IUnknown_Vtbl::new::<Identity, OFFSET>(),
            Next: Next::<Identity, OFFSET>,
            Skip: Skip::<Identity, OFFSET>,
            Reset: Reset::<Identity, OFFSET>,
            Clone: Clone::<Identity, OFFSET>,
        }
    }
    pub fn matches(iid: &windows_core::GUID) -> bool {
        iid == &<IVssEnumObject as windows_core::Interface>::IID
    }
}
impl windows_core::RuntimeName for IVssEnumObject {}
windows_core::imp::define_interface!(
    IVssExamineWriterMetadata,
    IVssExamineWriterMetadata_Vtbl,
    0x902fcf7f_b7fd_42f8_81f1_b2e400b1e5bd
);
windows_core::imp::interface_hierarchy!(IVssExamineWriterMetadata, windows_core::IUnknown);
impl IVssExamineWriterMetadata {
    pub unsafe fn GetIdentity(
        &self,
        pidinstance: *mut VSS_ID,
        pidwriter: *mut VSS_ID,
        pbstrwritername: *mut windows_core::BSTR,
        pusage: *mut VSS_USAGE_TYPE,
        psource: *mut VSS_SOURCE_TYPE,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).GetIdentity)(
                windows_core::Interface::as_raw(self),
                pidinstance as _,
                pidwriter as _,
                core::mem::transmute(pbstrwritername),
                pusage as _,
                psource as _,
            )
        }
    }
    pub unsafe fn GetFileCounts(
        &self,
        pcincludefiles: *mut u32,
        pcexcludefiles: *mut u32,
        pccomponents: *mut u32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).GetFileCounts)(
                windows_core::Interface::as_raw(self),
                pcincludefiles as _,
                pcexcludefiles as _,
                pccomponents as _,
            )
        }
    }
    pub unsafe fn GetIncludeFile(&self, ifile: u32) -> windows_core::Result<IVssWMFiledesc> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetIncludeFile)(
                windows_core::Interface::as_raw(self),
                ifile,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetExcludeFile(&self, ifile: u32) -> windows_core::Result<IVssWMFiledesc> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetExcludeFile)(
                windows_core::Interface::as_raw(self),
                ifile,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetComponent(&self, icomponent: u32) -> windows_core::Result<IVssWMComponent> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetComponent)(
                windows_core::Interface::as_raw(self),
                icomponent,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetRestoreMethod(
        &self,
        pmethod: *mut VSS_RESTOREMETHOD_ENUM,
        pbstrservice: *mut windows_core::BSTR,
        pbstruserprocedure: *mut windows_core::BSTR,
        pwriterrestore: *mut VSS_WRITERRESTORE_ENUM,
        pbrebootrequired: *mut bool,
        pcmappings: *mut u32,
    ) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).GetRestoreMethod)(
                windows_core::Interface::as_raw(self),
                pmethod as _,
                core::mem::transmute(pbstrservice),
                core::mem::transmute(pbstruserprocedure),
                pwriterrestore as _,
                pbrebootrequired as _,
                pcmappings as _,
            )
        }
    }
    pub unsafe fn GetAlternateLocationMapping(&self, imapping: u32) -> windows_core::Result<IVssWMFiledesc> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetAlternateLocationMapping)(
                windows_core::Interface::as_raw(self),
                imapping,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetBackupSchema(&self) -> windows_core::Result<u32> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetBackupSchema)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn GetDocument(&self) -> windows_core::Result<IXMLDOMDocument> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetDocument)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn SaveAsXML(&self, pbstrxml: *const windows_core::BSTR) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).SaveAsXML)(
                windows_core::Interface::as_raw(self),
                core::mem::transmute(pbstrxml),
            )
        }
    }
    pub unsafe fn LoadFromXML(&self, bstrxml: &windows_core::BSTR) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).LoadFromXML)(
                windows_core::Interface::as_raw(self),
                core::mem::transmute_copy(bstrxml),
            )
        }
    }
}
#[repr(C)]
pub struct IVssExamineWriterMetadata_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    pub GetIdentity: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut VSS_ID,
        *mut VSS_ID,
        *mut *mut core::ffi::c_void,
        *mut VSS_USAGE_TYPE,
        *mut VSS_SOURCE_TYPE,
    ) -> windows_core::HRESULT,
    pub GetFileCounts: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut u32,
        *mut u32,
        *mut u32,
    ) -> windows_core::HRESULT,
    pub GetIncludeFile: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetExcludeFile: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetComponent: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetRestoreMethod: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut VSS_RESTOREMETHOD_ENUM,
        *mut *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
        *mut VSS_WRITERRESTORE_ENUM,
        *mut bool,
        *mut u32,
    ) -> windows_core::HRESULT,
    pub GetAlternateLocationMapping: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetBackupSchema: unsafe extern "system" fn(*mut core::ffi::c_void, *mut u32) -> windows_core::HRESULT,
    pub GetDocument: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub SaveAsXML: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        *const *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub LoadFromXML:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut core::ffi::c_void) -> windows_core::HRESULT,
}
pub trait IVssExamineWriterMetadata_Impl: windows_core::IUnknownImpl {
    fn GetIdentity(
        &self,
        pidinstance: *mut VSS_ID,
        pidwriter: *mut VSS_ID,
        pbstrwritername: *mut windows_core::BSTR,
        pusage: *mut VSS_USAGE_TYPE,
        psource: *mut VSS_SOURCE_TYPE,
    ) -> windows_core::Result<()>;
    fn GetFileCounts(
        &self,
        pcincludefiles: *mut u32,
        pcexcludefiles: *mut u32,
        pccomponents: *mut u32,
    ) -> windows_core::Result<()>;
    fn GetIncludeFile(&self, ifile: u32) -> windows_core::Result<IVssWMFiledesc>;
    fn GetExcludeFile(&self, ifile: u32) -> windows_core::Result<IVssWMFiledesc>;
    fn GetComponent(&self, icomponent: u32) -> windows_core::Result<IVssWMComponent>;
    fn GetRestoreMethod(
        &self,
        pmethod: *mut VSS_RESTOREMETHOD_ENUM,
        pbstrservice: *mut windows_core::BSTR,
        pbstruserprocedure: *mut windows_core::BSTR,
        pwriterrestore: *mut VSS_WRITERRESTORE_ENUM,
        pbrebootrequired: *mut bool,
        pcmappings: *mut u32,
    ) -> windows_core::Result<()>;
    fn GetAlternateLocationMapping(&self, imapping: u32) -> windows_core::Result<IVssWMFiledesc>;
    fn GetBackupSchema(&self) -> windows_core::Result<u32>;
    fn GetDocument(&self) -> windows_core::Result<IXMLDOMDocument>;
    fn SaveAsXML(&self, pbstrxml: *const windows_core::BSTR) -> windows_core::Result<()>;
    fn LoadFromXML(&self, bstrxml: &windows_core::BSTR) -> windows_core::Result<()>;
}
impl IVssExamineWriterMetadata_Vtbl {
    pub const fn new<Identity: IVssExamineWriterMetadata_Impl, const OFFSET: isize>() -> Self {
        unsafe extern "system" fn GetIdentity<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pidinstance: *mut VSS_ID,
            pidwriter: *mut VSS_ID,
            pbstrwritername: *mut *mut core::ffi::c_void,
            pusage: *mut VSS_USAGE_TYPE,
            psource: *mut VSS_SOURCE_TYPE,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssExamineWriterMetadata_Impl::GetIdentity(
                    this,
                    core::mem::transmute_copy(&pidinstance),
                    core::mem::transmute_copy(&pidwriter),
                    core::mem::transmute_copy(&pbstrwritername),
                    core::mem::transmute_copy(&pusage),
                    core::mem::transmute_copy(&psource),
                )
                .into()
            }
        }
        unsafe extern "system" fn GetFileCounts<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pcincludefiles: *mut u32,
            pcexcludefiles: *mut u32,
            pccomponents: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssExamineWriterMetadata_Impl::GetFileCounts(
                    this,
                    core::mem::transmute_copy(&pcincludefiles),
                    core::mem::transmute_copy(&pcexcludefiles),
                    core::mem::transmute_copy(&pccomponents),
                )
                .into()
            }
        }
        unsafe extern "system" fn GetIncludeFile<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            ifile: u32,
            ppfiledesc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssExamineWriterMetadata_Impl::GetIncludeFile(this, core::mem::transmute_copy(&ifile))
                {
                    Ok(ok__) => {
                        ppfiledesc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetExcludeFile<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            ifile: u32,
            ppfiledesc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssExamineWriterMetadata_Impl::GetExcludeFile(this, core::mem::transmute_copy(&ifile))
                {
                    Ok(ok__) => {
                        ppfiledesc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetComponent<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            icomponent: u32,
            ppcomponent: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssExamineWriterMetadata_Impl::GetComponent(
                    this,
                    core::mem::transmute_copy(&icomponent),
                ) {
                    Ok(ok__) => {
                        ppcomponent.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetRestoreMethod<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pmethod: *mut VSS_RESTOREMETHOD_ENUM,
            pbstrservice: *mut *mut core::ffi::c_void,
            pbstruserprocedure: *mut *mut core::ffi::c_void,
            pwriterrestore: *mut VSS_WRITERRESTORE_ENUM,
            pbrebootrequired: *mut bool,
            pcmappings: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssExamineWriterMetadata_Impl::GetRestoreMethod(
                    this,
                    core::mem::transmute_copy(&pmethod),
                    core::mem::transmute_copy(&pbstrservice),
                    core::mem::transmute_copy(&pbstruserprocedure),
                    core::mem::transmute_copy(&pwriterrestore),
                    core::mem::transmute_copy(&pbrebootrequired),
                    core::mem::transmute_copy(&pcmappings),
                )
                .into()
            }
        }
        unsafe extern "system" fn GetAlternateLocationMapping<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            imapping: u32,
            ppfiledesc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssExamineWriterMetadata_Impl::GetAlternateLocationMapping(
                    this,
                    core::mem::transmute_copy(&imapping),
                ) {
                    Ok(ok__) => {
                        ppfiledesc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetBackupSchema<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pdwschemamask: *mut u32,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssExamineWriterMetadata_Impl::GetBackupSchema(this) {
                    Ok(ok__) => {
                        pdwschemamask.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetDocument<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            pdoc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssExamineWriterMetadata_Impl::GetDocument(this) {
                    Ok(ok__) => {
                        pdoc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn SaveAsXML<Identity: IVssExamineWriterMetadata_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            pbstrxml: *const *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssExamineWriterMetadata_Impl::SaveAsXML(this, core::mem::transmute_copy(&pbstrxml)).into()
            }
        }
        unsafe extern "system" fn LoadFromXML<
            Identity: IVssExamineWriterMetadata_Impl,
            const OFFSET: isize,
        >(
            this: *mut core::ffi::c_void,
            bstrxml: *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssExamineWriterMetadata_Impl::LoadFromXML(this, core::mem::transmute(&bstrxml)).into()
            }
        }
        Self {
            base__: windows_core::IUnknown_Vtbl::new::<Identity, OFFSET>(),
            GetIdentity: GetIdentity::<Identity, OFFSET>,
            GetFileCounts: GetFileCounts::<Identity, OFFSET>,
            GetIncludeFile: GetIncludeFile::<Identity, OFFSET>,
            GetExcludeFile: GetExcludeFile::<Identity, OFFSET>,
            GetComponent: GetComponent::<Identity, OFFSET>,
            GetRestoreMethod: GetRestoreMethod::<Identity, OFFSET>,
            GetAlternateLocationMapping: GetAlternateLocationMapping::<Identity, OFFSET>,
            GetBackupSchema: GetBackupSchema::<Identity, OFFSET>,
            GetDocument: GetDocument::<Identity, OFFSET>,
            SaveAsXML: SaveAsXML::<Identity, OFFSET>,
            LoadFromXML: LoadFromXML::<Identity, OFFSET>,
        }
    }
    pub fn matches(iid: &windows_core::GUID) -> bool {
        iid == &<IVssExamineWriterMetadata as windows_core::Interface>::IID
    }
}
impl windows_core::RuntimeName for IVssExamineWriterMetadata {}
windows_core::imp::define_interface!(IVssWMComponent, IVssWMComponent_Vtbl, 0);
windows_core::imp::interface_hierarchy!(IVssWMComponent, windows_core::IUnknown);
impl IVssWMComponent {
    pub unsafe fn GetComponentInfo(&self) -> windows_core::Result<PVSSCOMPONENTINFO> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetComponentInfo)(
                windows_core::Interface::as_raw(self),
                &mut result__,
            )
            .map(|| result__)
        }
    }
    pub unsafe fn FreeComponentInfo(&self, pinfo: *const VSS_COMPONENTINFO) -> windows_core::HRESULT {
        unsafe {
            (windows_core::Interface::vtable(self).FreeComponentInfo)(
                windows_core::Interface::as_raw(self),
                pinfo,
            )
        }
    }
    pub unsafe fn GetFile(&self, ifile: u32) -> windows_core::Result<IVssWMFiledesc> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetFile)(
                windows_core::Interface::as_raw(self),
                ifile,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetDatabaseFile(&self, idbfile: u32) -> windows_core::Result<IVssWMFiledesc> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetDatabaseFile)(
                windows_core::Interface::as_raw(self),
                idbfile,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetDatabaseLogFile(&self, idblogfile: u32) -> windows_core::Result<IVssWMFiledesc> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetDatabaseLogFile)(
                windows_core::Interface::as_raw(self),
                idblogfile,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
    pub unsafe fn GetDependency(&self, idependency: u32) -> windows_core::Result<IVssWMDependency> {
        unsafe {
            let mut result__ = core::mem::zeroed();
            (windows_core::Interface::vtable(self).GetDependency)(
                windows_core::Interface::as_raw(self),
                idependency,
                &mut result__,
            )
            .and_then(|| windows_core::imp::Type::from_abi(result__))
        }
    }
}
#[repr(C)]
pub struct IVssWMComponent_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    pub GetComponentInfo:
        unsafe extern "system" fn(*mut core::ffi::c_void, *mut PVSSCOMPONENTINFO) -> windows_core::HRESULT,
    pub FreeComponentInfo:
        unsafe extern "system" fn(*mut core::ffi::c_void, *const VSS_COMPONENTINFO) -> windows_core::HRESULT,
    pub GetFile: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetDatabaseFile: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetDatabaseLogFile: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
    pub GetDependency: unsafe extern "system" fn(
        *mut core::ffi::c_void,
        u32,
        *mut *mut core::ffi::c_void,
    ) -> windows_core::HRESULT,
}
pub trait IVssWMComponent_Impl: windows_core::IUnknownImpl {
    fn GetComponentInfo(&self) -> windows_core::Result<PVSSCOMPONENTINFO>;
    fn FreeComponentInfo(&self, pinfo: *const VSS_COMPONENTINFO) -> windows_core::Result<()>;
    fn GetFile(&self, ifile: u32) -> windows_core::Result<IVssWMFiledesc>;
    fn GetDatabaseFile(&self, idbfile: u32) -> windows_core::Result<IVssWMFiledesc>;
    fn GetDatabaseLogFile(&self, idblogfile: u32) -> windows_core::Result<IVssWMFiledesc>;
    fn GetDependency(&self, idependency: u32) -> windows_core::Result<IVssWMDependency>;
}
impl IVssWMComponent_Vtbl {
    pub const fn new<Identity: IVssWMComponent_Impl, const OFFSET: isize>() -> Self {
        unsafe extern "system" fn GetComponentInfo<Identity: IVssWMComponent_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ppinfo: *mut PVSSCOMPONENTINFO,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssWMComponent_Impl::GetComponentInfo(this) {
                    Ok(ok__) => {
                        ppinfo.write(ok__);
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn FreeComponentInfo<Identity: IVssWMComponent_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            pinfo: *const VSS_COMPONENTINFO,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                IVssWMComponent_Impl::FreeComponentInfo(this, core::mem::transmute_copy(&pinfo)).into()
            }
        }
        unsafe extern "system" fn GetFile<Identity: IVssWMComponent_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            ifile: u32,
            ppfiledesc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssWMComponent_Impl::GetFile(this, core::mem::transmute_copy(&ifile)) {
                    Ok(ok__) => {
                        ppfiledesc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetDatabaseFile<Identity: IVssWMComponent_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            idbfile: u32,
            ppfiledesc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssWMComponent_Impl::GetDatabaseFile(this, core::mem::transmute_copy(&idbfile)) {
                    Ok(ok__) => {
                        ppfiledesc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetDatabaseLogFile<Identity: IVssWMComponent_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            idblogfile: u32,
            ppfiledesc: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssWMComponent_Impl::GetDatabaseLogFile(this, core::mem::transmute_copy(&idblogfile)) {
                    Ok(ok__) => {
                        ppfiledesc.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        unsafe extern "system" fn GetDependency<Identity: IVssWMComponent_Impl, const OFFSET: isize>(
            this: *mut core::ffi::c_void,
            idependency: u32,
            ppdependency: *mut *mut core::ffi::c_void,
        ) -> windows_core::HRESULT {
            unsafe {
                let this: &Identity = &*((this as *const *const ()).offset(OFFSET) as *const Identity);
                match IVssWMComponent_Impl::GetDependency(this, core::mem::transmute_copy(&idependency)) {
                    Ok(ok__) => {
                        ppdependency.write(core::mem::transmute(ok__));
                        windows_core::HRESULT(0)
                    }
                    Err(err) => err.into(),
                }
            }
        }
        Self {
            base__: windows_core::IUnknown_Vtbl::new::<Identity, OFFSET>(),
            GetComponentInfo: GetComponentInfo::<Identity, OFFSET>,
            FreeComponentInfo: FreeComponentInfo::<Identity, OFFSET>,
            GetFile: GetFile::<Identity, OFFSET>,
            GetDatabaseFile: GetDatabaseFile::<Identity, OFFSET>,
            GetDatabaseLogFile: GetDatabaseLogFile::<Identity, OFFSET>,
            GetDependency: GetDependency::<Identity, OFFSET>,
        }
    }
    pub fn matches(iid: &windows_core::GUID) -> bool {
        iid == &<IVssWMComponent as windows_core::Interface>::IID
    }
}
impl windows_core::RuntimeName for IVssWMComponent {}
windows_core::imp::define_interface!(IVssWMDependency, IVssWMDependency_Vtbl, 0);
windows_core::imp::interface_hierarchy!(IVssWMDependency, windows_core::IUnknown);
#[repr(C)]
pub struct IVssWMDependency_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    GetWriterId: usize,
    GetLogicalPath: usize,
    GetComponentName: usize,
}
impl windows_core::RuntimeName for IVssWMDependency {}
windows_core::imp::define_interface!(IVssWMFiledesc, IVssWMFiledesc_Vtbl, 0);
windows_core::imp::interface_hierarchy!(IVssWMFiledesc, windows_core::IUnknown);
#[repr(C)]
pub struct IVssWMFiledesc_Vtbl {
    pub base__: windows_core::IUnknown_Vtbl,
    GetPath: usize,
    GetFilespec: usize,
    GetRecursive: usize,
    GetAlternateLocation: usize,
    GetBackupTypeMask: usize,
}
impl windows_core::RuntimeName for IVssWMFiledesc {}
windows_core::imp::define_interface!(IVssWriterComponents, IVssWriterComponents_Vtbl);
#[repr(C)]
pub struct IVssWriterComponents_Vtbl {
    GetComponentCount: usize,
    GetWriterInfo: usize,
    GetComponent: usize,
}
windows_core::imp::define_interface!(IVssWriterComponentsExt, IVssWriterComponentsExt_Vtbl);
impl core::ops::Deref for IVssWriterComponentsExt {
    type Target = IVssWriterComponents;
    fn deref(&self) -> &Self::Target {
        unsafe { core::mem::transmute(self) }
    }
}
windows_core::imp::interface_hierarchy!(IVssWriterComponentsExt, IVssWriterComponents);
#[repr(C)]
pub struct IVssWriterComponentsExt_Vtbl {
    pub base__: IVssWriterComponents_Vtbl,
}
windows_core::imp::define_interface!(
    IXMLDOMDocument,
    IXMLDOMDocument_Vtbl,
    0x2933bf81_7b36_11d2_b20e_00c04f983e60
);
impl core::ops::Deref for IXMLDOMDocument {
    type Target = IXMLDOMNode;
    fn deref(&self) -> &Self::Target {
        unsafe { core::mem::transmute(self) }
    }
}
windows_core::imp::interface_hierarchy!(IXMLDOMDocument, windows_core::IUnknown, IDispatch, IXMLDOMNode);
#[repr(C)]
pub struct IXMLDOMDocument_Vtbl {
    pub base__: IXMLDOMNode_Vtbl,
    doctype: usize,
    implementation: usize,
    documentElement: usize,
    putref_documentElement: usize,
    createElement: usize,
    createDocumentFragment: usize,
    createTextNode: usize,
    createComment: usize,
    createCDATASection: usize,
    createProcessingInstruction: usize,
    createAttribute: usize,
    createEntityReference: usize,
    getElementsByTagName: usize,
    createNode: usize,
    nodeFromID: usize,
    load: usize,
    readyState: usize,
    parseError: usize,
    url: usize,
    r#async: usize,
    Setasync: usize,
    abort: usize,
    loadXML: usize,
    save: usize,
    validateOnParse: usize,
    SetvalidateOnParse: usize,
    resolveExternals: usize,
    SetresolveExternals: usize,
    preserveWhiteSpace: usize,
    SetpreserveWhiteSpace: usize,
    Setonreadystatechange: usize,
    Setondataavailable: usize,
    Setontransformnode: usize,
}
impl windows_core::RuntimeName for IXMLDOMDocument {}
windows_core::imp::define_interface!(IXMLDOMNode, IXMLDOMNode_Vtbl, 0x2933bf80_7b36_11d2_b20e_00c04f983e60);
impl core::ops::Deref for IXMLDOMNode {
    type Target = IDispatch;
    fn deref(&self) -> &Self::Target {
        unsafe { core::mem::transmute(self) }
    }
}
windows_core::imp::interface_hierarchy!(IXMLDOMNode, windows_core::IUnknown, IDispatch);
#[repr(C)]
pub struct IXMLDOMNode_Vtbl {
    pub base__: IDispatch_Vtbl,
    nodeName: usize,
    nodeValue: usize,
    SetnodeValue: usize,
    nodeType: usize,
    parentNode: usize,
    childNodes: usize,
    firstChild: usize,
    lastChild: usize,
    previousSibling: usize,
    nextSibling: usize,
    attributes: usize,
    insertBefore: usize,
    replaceChild: usize,
    removeChild: usize,
    appendChild: usize,
    hasChildNodes: usize,
    ownerDocument: usize,
    cloneNode: usize,
    nodeTypeString: usize,
    text: usize,
    Settext: usize,
    specified: usize,
    definition: usize,
    nodeTypedValue: usize,
    SetnodeTypedValue: usize,
    dataType: usize,
    SetdataType: usize,
    xml: usize,
    transformNode: usize,
    selectNodes: usize,
    selectSingleNode: usize,
    parsed: usize,
    namespaceURI: usize,
    prefix: usize,
    baseName: usize,
    transformNodeToObject: usize,
}
impl windows_core::RuntimeName for IXMLDOMNode {}
pub const KEY_READ: i32 = 131097;
pub type KNOWNFOLDERID = windows_core::GUID;
pub const LOAD_LIBRARY_SEARCH_SYSTEM32: i32 = 2048;
pub const LOCKFILE_EXCLUSIVE_LOCK: i32 = 2;
pub const LOCKFILE_FAIL_IMMEDIATELY: i32 = 1;
pub type LPWCH = *mut u16;
pub type LSTATUS = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LUID {
    pub LowPart: u32,
    pub HighPart: i32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LUID_AND_ATTRIBUTES {
    pub Luid: LUID,
    pub Attributes: u32,
}
pub type MEDIA_TYPE = i32;
pub const MEM_COMMIT: i32 = 4096;
pub const MEM_RELEASE: i32 = 32768;
pub const MEM_RESERVE: i32 = 8192;
pub const MOVEFILE_COPY_ALLOWED: i32 = 2;
pub const MOVEFILE_REPLACE_EXISTING: i32 = 1;
pub const MOVEFILE_WRITE_THROUGH: i32 = 8;
pub type MULTIPLE_TRUSTEE_OPERATION = i32;
pub const MaximumFileInfoByHandleClass: FILE_INFO_BY_HANDLE_CLASS = 25;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NTFS_VOLUME_DATA_BUFFER {
    pub VolumeSerialNumber: i64,
    pub NumberSectors: i64,
    pub TotalClusters: i64,
    pub FreeClusters: i64,
    pub TotalReserved: i64,
    pub BytesPerSector: u32,
    pub BytesPerCluster: u32,
    pub BytesPerFileRecordSegment: u32,
    pub ClustersPerFileRecordSegment: u32,
    pub MftValidDataLength: i64,
    pub MftStartLcn: i64,
    pub Mft2StartLcn: i64,
    pub MftZoneStart: i64,
    pub MftZoneEnd: i64,
}
pub type OBJECT_INFORMATION_CLASS = i32;
pub type OLECHAR = u16;
pub const OPEN_ALWAYS: i32 = 4;
pub const OPEN_EXISTING: i32 = 3;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OSVERSIONINFOW {
    pub dwOSVersionInfoSize: u32,
    pub dwMajorVersion: u32,
    pub dwMinorVersion: u32,
    pub dwBuildNumber: u32,
    pub dwPlatformId: u32,
    pub szCSDVersion: [u16; 128],
}
impl Default for OSVERSIONINFOW {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OVERLAPPED {
    pub Internal: usize,
    pub InternalHigh: usize,
    pub Anonymous: OVERLAPPED_0,
    pub hEvent: HANDLE,
}
impl Default for OVERLAPPED {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub union OVERLAPPED_0 {
    pub Anonymous: OVERLAPPED_0_0,
    pub Pointer: *mut core::ffi::c_void,
}
impl Default for OVERLAPPED_0 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OVERLAPPED_0_0 {
    pub Offset: u32,
    pub OffsetHigh: u32,
}
pub const ObjectBasicInformation: OBJECT_INFORMATION_CLASS = 0;
pub const ObjectTypeInformation: OBJECT_INFORMATION_CLASS = 2;
pub type PACL = *mut ACL;
pub const PAGE_READWRITE: i32 = 4;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PARTITION_INFORMATION_EX {
    pub PartitionStyle: PARTITION_STYLE,
    pub PartitionOrdinal: u16,
    pub StartingOffset: i64,
    pub PartitionLength: i64,
    pub PartitionNumber: u32,
    pub RewritePartition: bool,
    pub IsServicePartition: bool,
    pub Anonymous: PARTITION_INFORMATION_EX_0,
}
impl Default for PARTITION_INFORMATION_EX {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub union PARTITION_INFORMATION_EX_0 {
    pub Mbr: PARTITION_INFORMATION_MBR,
    pub Gpt: PARTITION_INFORMATION_GPT,
}
impl Default for PARTITION_INFORMATION_EX_0 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PARTITION_INFORMATION_GPT {
    pub PartitionType: windows_core::GUID,
    pub PartitionId: windows_core::GUID,
    pub Attributes: u64,
    pub Name: [u16; 36],
}
impl Default for PARTITION_INFORMATION_GPT {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PARTITION_INFORMATION_MBR {
    pub PartitionType: u8,
    pub BootIndicator: bool,
    pub RecognizedPartition: bool,
    pub HiddenSectors: u32,
    pub PartitionId: windows_core::GUID,
}
pub type PARTITION_STYLE = i32;
pub const PARTITION_STYLE_GPT: PARTITION_STYLE = 1;
pub const PARTITION_STYLE_MBR: PARTITION_STYLE = 0;
pub const PARTITION_STYLE_RAW: PARTITION_STYLE = 2;
pub type PHANDLER_ROUTINE = Option<unsafe extern "system" fn(ctrltype: u32) -> windows_core::BOOL>;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PREVENT_MEDIA_REMOVAL {
    pub PreventMediaRemoval: bool,
}
pub const PROCESS_DUP_HANDLE: i32 = 64;
pub const PROCESS_QUERY_LIMITED_INFORMATION: i32 = 4096;
pub type PSECURITY_DESCRIPTOR = *mut core::ffi::c_void;
pub type PSID = *mut core::ffi::c_void;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PUBLIC_OBJECT_TYPE_INFORMATION {
    pub TypeName: UNICODE_STRING,
    pub Reserved: [u32; 22],
}
impl Default for PUBLIC_OBJECT_TYPE_INFORMATION {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub type PVSSCOMPONENTINFO = *const VSS_COMPONENTINFO;
pub const PropertyExistsQuery: STORAGE_QUERY_TYPE = 1;
pub const PropertyMaskQuery: STORAGE_QUERY_TYPE = 2;
pub const PropertyQueryMaxDefined: STORAGE_QUERY_TYPE = 3;
pub const PropertyStandardQuery: STORAGE_QUERY_TYPE = 0;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RAW_READ_INFO {
    pub DiskOffset: i64,
    pub SectorCount: u32,
    pub TrackMode: TRACK_MODE_TYPE,
}
pub const REGDB_E_CLASSNOTREG: windows_core::HRESULT = windows_core::HRESULT(0x80040154_u32 as _);
pub type REGSAM = ACCESS_MASK;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RETRIEVAL_POINTERS_BUFFER {
    pub ExtentCount: u32,
    pub StartingVcn: i64,
    pub Extents: [RETRIEVAL_POINTERS_BUFFER_0; 1],
}
impl Default for RETRIEVAL_POINTERS_BUFFER {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RETRIEVAL_POINTERS_BUFFER_0 {
    pub NextVcn: i64,
    pub Lcn: i64,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RETRIEVAL_POINTER_BASE {
    pub FileAreaOffset: i64,
}
pub type RM_APP_TYPE = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RM_PROCESS_INFO {
    pub Process: RM_UNIQUE_PROCESS,
    pub strAppName: [u16; 256],
    pub strServiceShortName: [u16; 64],
    pub ApplicationType: RM_APP_TYPE,
    pub AppStatus: u32,
    pub TSSessionId: u32,
    pub bRestartable: windows_core::BOOL,
}
impl Default for RM_PROCESS_INFO {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RM_UNIQUE_PROCESS {
    pub dwProcessId: u32,
    pub ProcessStartTime: FILETIME,
}
pub const RPC_C_AUTHN_LEVEL_PKT_PRIVACY: i32 = 6;
pub const RPC_C_IMP_LEVEL_IDENTIFY: i32 = 2;
pub const RPC_C_IMP_LEVEL_IMPERSONATE: i32 = 3;
pub const RPC_E_CHANGED_MODE: windows_core::HRESULT = windows_core::HRESULT(0x80010106_u32 as _);
pub const RPC_E_TOO_LATE: windows_core::HRESULT = windows_core::HRESULT(0x80010119_u32 as _);
pub const RawWithC2: TRACK_MODE_TYPE = 4;
pub const RawWithC2AndSubCode: TRACK_MODE_TYPE = 3;
pub const RawWithSubCode: TRACK_MODE_TYPE = 5;
pub const RemovableMedia: MEDIA_TYPE = 11;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SCSI_ADDRESS {
    pub Length: u32,
    pub PortNumber: u8,
    pub PathId: u8,
    pub TargetId: u8,
    pub Lun: u8,
}
pub const SCSI_IOCTL_DATA_IN: i32 = 1;
pub const SCSI_IOCTL_DATA_OUT: i32 = 0;
pub const SCSI_IOCTL_DATA_UNSPECIFIED: i32 = 2;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SCSI_PASS_THROUGH {
    pub Length: u16,
    pub ScsiStatus: u8,
    pub PathId: u8,
    pub TargetId: u8,
    pub Lun: u8,
    pub CdbLength: u8,
    pub SenseInfoLength: u8,
    pub DataIn: u8,
    pub DataTransferLength: u32,
    pub TimeOutValue: u32,
    pub DataBufferOffset: usize,
    pub SenseInfoOffset: u32,
    pub Cdb: [u8; 16],
}
impl Default for SCSI_PASS_THROUGH {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SCSI_PASS_THROUGH_DIRECT {
    pub Length: u16,
    pub ScsiStatus: u8,
    pub PathId: u8,
    pub TargetId: u8,
    pub Lun: u8,
    pub CdbLength: u8,
    pub SenseInfoLength: u8,
    pub DataIn: u8,
    pub DataTransferLength: u32,
    pub TimeOutValue: u32,
    pub DataBuffer: *mut core::ffi::c_void,
    pub SenseInfoOffset: u32,
    pub Cdb: [u8; 16],
}
impl Default for SCSI_PASS_THROUGH_DIRECT {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const SDDL_REVISION_1: i32 = 1;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SECURITY_ATTRIBUTES {
    pub nLength: u32,
    pub lpSecurityDescriptor: *mut core::ffi::c_void,
    pub bInheritHandle: windows_core::BOOL,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SECURITY_DESCRIPTOR {
    pub Revision: u8,
    pub Sbz1: u8,
    pub Control: SECURITY_DESCRIPTOR_CONTROL,
    pub Owner: PSID,
    pub Group: PSID,
    pub Sacl: PACL,
    pub Dacl: PACL,
}
pub type SECURITY_DESCRIPTOR_CONTROL = u16;
pub const SECURITY_DESCRIPTOR_REVISION: i32 = 1;
pub const SEM_FAILCRITICALERRORS: i32 = 1;
pub const SEM_NOOPENFILEERRORBOX: i32 = 32768;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SET_DISK_ATTRIBUTES {
    pub Version: u32,
    pub Persist: bool,
    pub Reserved1: [u8; 3],
    pub Attributes: DWORDLONG,
    pub AttributesMask: DWORDLONG,
    pub Reserved2: [u32; 4],
}
impl Default for SET_DISK_ATTRIBUTES {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const SE_PRIVILEGE_ENABLED: i32 = 2;
pub const SE_SELF_RELATIVE: i32 = 32768;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SOLE_AUTHENTICATION_SERVICE {
    pub dwAuthnSvc: u32,
    pub dwAuthzSvc: u32,
    pub pPrincipalName: *mut OLECHAR,
    pub hr: windows_core::HRESULT,
}
#[repr(C, packed(1))]
#[cfg(target_arch = "x86")]
#[derive(Clone, Copy, Default)]
pub struct SP_DEVICE_INTERFACE_DATA {
    pub cbSize: u32,
    pub InterfaceClassGuid: windows_core::GUID,
    pub Flags: u32,
    pub Reserved: usize,
}
#[repr(C)]
#[cfg(any(target_arch = "aarch64", target_arch = "arm64ec", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SP_DEVICE_INTERFACE_DATA {
    pub cbSize: u32,
    pub InterfaceClassGuid: windows_core::GUID,
    pub Flags: u32,
    pub Reserved: usize,
}
#[repr(C, packed(1))]
#[cfg(target_arch = "x86")]
#[derive(Clone, Copy)]
pub struct SP_DEVICE_INTERFACE_DETAIL_DATA_W {
    pub cbSize: u32,
    pub DevicePath: [u16; 1],
}
#[cfg(target_arch = "x86")]
impl Default for SP_DEVICE_INTERFACE_DETAIL_DATA_W {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[cfg(any(target_arch = "aarch64", target_arch = "arm64ec", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SP_DEVICE_INTERFACE_DETAIL_DATA_W {
    pub cbSize: u32,
    pub DevicePath: [u16; 1],
}
#[cfg(any(target_arch = "aarch64", target_arch = "arm64ec", target_arch = "x86_64"))]
impl Default for SP_DEVICE_INTERFACE_DETAIL_DATA_W {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C, packed(1))]
#[cfg(target_arch = "x86")]
#[derive(Clone, Copy, Default)]
pub struct SP_DEVINFO_DATA {
    pub cbSize: u32,
    pub ClassGuid: windows_core::GUID,
    pub DevInst: u32,
    pub Reserved: usize,
}
#[repr(C)]
#[cfg(any(target_arch = "aarch64", target_arch = "arm64ec", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SP_DEVINFO_DATA {
    pub cbSize: u32,
    pub ClassGuid: windows_core::GUID,
    pub DevInst: u32,
    pub Reserved: usize,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STARTING_LCN_INPUT_BUFFER {
    pub StartingLcn: i64,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STARTING_VCN_INPUT_BUFFER {
    pub StartingVcn: i64,
}
pub const STATUS_INFO_LENGTH_MISMATCH: windows_core::NTSTATUS = windows_core::NTSTATUS(0xC0000004_u32 as _);
pub const STATUS_PENDING: windows_core::NTSTATUS = windows_core::NTSTATUS(0x103_u32 as _);
pub const STD_ERROR_HANDLE: u32 = 4294967284;
pub const STD_INPUT_HANDLE: u32 = 4294967286;
pub const STD_OUTPUT_HANDLE: u32 = 4294967285;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR {
    pub Version: u32,
    pub Size: u32,
    pub BytesPerCacheLine: u32,
    pub BytesOffsetForCacheAlignment: u32,
    pub BytesPerLogicalSector: u32,
    pub BytesPerPhysicalSector: u32,
    pub BytesOffsetForSectorAlignment: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_ADAPTER_DESCRIPTOR {
    pub Version: u32,
    pub Size: u32,
    pub MaximumTransferLength: u32,
    pub MaximumPhysicalPages: u32,
    pub AlignmentMask: u32,
    pub AdapterUsesPio: bool,
    pub AdapterScansDown: bool,
    pub CommandQueueing: bool,
    pub AcceleratedTransfer: bool,
    pub BusType: u8,
    pub BusMajorVersion: u16,
    pub BusMinorVersion: u16,
    pub SrbType: u8,
    pub AddressType: u8,
}
pub type STORAGE_BUS_TYPE = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_DESCRIPTOR_HEADER {
    pub Version: u32,
    pub Size: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct STORAGE_DEVICE_DESCRIPTOR {
    pub Version: u32,
    pub Size: u32,
    pub DeviceType: u8,
    pub DeviceTypeModifier: u8,
    pub RemovableMedia: bool,
    pub CommandQueueing: bool,
    pub VendorIdOffset: u32,
    pub ProductIdOffset: u32,
    pub ProductRevisionOffset: u32,
    pub SerialNumberOffset: u32,
    pub BusType: STORAGE_BUS_TYPE,
    pub RawPropertiesLength: u32,
    pub RawDeviceProperties: [u8; 1],
}
impl Default for STORAGE_DEVICE_DESCRIPTOR {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct STORAGE_DEVICE_ID_DESCRIPTOR {
    pub Version: u32,
    pub Size: u32,
    pub NumberOfIdentifiers: u32,
    pub Identifiers: [u8; 1],
}
impl Default for STORAGE_DEVICE_ID_DESCRIPTOR {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_DEVICE_NUMBER {
    pub DeviceType: u32,
    pub DeviceNumber: u32,
    pub PartitionNumber: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_DEVICE_NUMBER_EX {
    pub Version: u32,
    pub Size: u32,
    pub Flags: u32,
    pub DeviceType: u32,
    pub DeviceNumber: u32,
    pub DeviceGuid: windows_core::GUID,
    pub PartitionNumber: u32,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_HOTPLUG_INFO {
    pub Size: u32,
    pub MediaRemovable: bool,
    pub MediaHotplug: bool,
    pub DeviceHotplug: bool,
    pub WriteCacheEnableOverride: bool,
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct STORAGE_MEDIA_SERIAL_NUMBER_DATA {
    pub Reserved: u16,
    pub SerialNumberLength: u16,
    pub SerialNumber: [u8; 0],
}
impl Default for STORAGE_MEDIA_SERIAL_NUMBER_DATA {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub type STORAGE_MEDIA_TYPE = i32;
pub type STORAGE_PROPERTY_ID = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct STORAGE_PROPERTY_QUERY {
    pub PropertyId: STORAGE_PROPERTY_ID,
    pub QueryType: STORAGE_QUERY_TYPE,
    pub AdditionalParameters: [u8; 1],
}
impl Default for STORAGE_PROPERTY_QUERY {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub type STORAGE_QUERY_TYPE = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct STORAGE_READ_CAPACITY {
    pub Version: u32,
    pub Size: u32,
    pub BlockLength: u32,
    pub NumberOfBlocks: i64,
    pub DiskLength: i64,
}
pub const SYNCHRONIZE: i32 = 1048576;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SYSTEM_INFO {
    pub Anonymous: SYSTEM_INFO_0,
    pub dwPageSize: u32,
    pub lpMinimumApplicationAddress: *mut core::ffi::c_void,
    pub lpMaximumApplicationAddress: *mut core::ffi::c_void,
    pub dwActiveProcessorMask: usize,
    pub dwNumberOfProcessors: u32,
    pub dwProcessorType: u32,
    pub dwAllocationGranularity: u32,
    pub wProcessorLevel: u16,
    pub wProcessorRevision: u16,
}
impl Default for SYSTEM_INFO {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy)]
pub union SYSTEM_INFO_0 {
    pub dwOemId: u32,
    pub Anonymous: SYSTEM_INFO_0_0,
}
impl Default for SYSTEM_INFO_0 {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SYSTEM_INFO_0_0 {
    pub wProcessorArchitecture: u16,
    pub wReserved: u16,
}
pub type SYSTEM_INFORMATION_CLASS = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SYSTEM_TIMEOFDAY_INFORMATION {
    pub Reserved1: [u8; 48],
}
impl Default for SYSTEM_TIMEOFDAY_INFORMATION {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const S_FALSE: windows_core::HRESULT = windows_core::HRESULT(0x1_u32 as _);
pub const S_OK: windows_core::HRESULT = windows_core::HRESULT(0x0_u32 as _);
pub const StorageAccessAlignmentProperty: STORAGE_PROPERTY_ID = 6;
pub const StorageAdapterCryptoProperty: STORAGE_PROPERTY_ID = 17;
pub const StorageAdapterPhysicalTopologyProperty: STORAGE_PROPERTY_ID = 53;
pub const StorageAdapterProperty: STORAGE_PROPERTY_ID = 1;
pub const StorageAdapterProtocolSpecificProperty: STORAGE_PROPERTY_ID = 49;
pub const StorageAdapterProtocolSpecificPropertyEx: STORAGE_PROPERTY_ID = 67;
pub const StorageAdapterRpmbProperty: STORAGE_PROPERTY_ID = 16;
pub const StorageAdapterSerialNumberProperty: STORAGE_PROPERTY_ID = 57;
pub const StorageAdapterTemperatureProperty: STORAGE_PROPERTY_ID = 51;
pub const StorageDeviceAttributesProperty: STORAGE_PROPERTY_ID = 55;
pub const StorageDeviceCopyOffloadProperty: STORAGE_PROPERTY_ID = 13;
pub const StorageDeviceDeviceTelemetryProperty: STORAGE_PROPERTY_ID = 10;
pub const StorageDeviceEnduranceProperty: STORAGE_PROPERTY_ID = 62;
pub const StorageDeviceIdProperty: STORAGE_PROPERTY_ID = 2;
pub const StorageDeviceIoCapabilityProperty: STORAGE_PROPERTY_ID = 48;
pub const StorageDeviceLBProvisioningProperty: STORAGE_PROPERTY_ID = 11;
pub const StorageDeviceLedStateProperty: STORAGE_PROPERTY_ID = 63;
pub const StorageDeviceLocationProperty: STORAGE_PROPERTY_ID = 58;
pub const StorageDeviceManagementStatus: STORAGE_PROPERTY_ID = 56;
pub const StorageDeviceMediumProductType: STORAGE_PROPERTY_ID = 15;
pub const StorageDeviceNumaProperty: STORAGE_PROPERTY_ID = 59;
pub const StorageDevicePhysicalTopologyProperty: STORAGE_PROPERTY_ID = 54;
pub const StorageDevicePowerProperty: STORAGE_PROPERTY_ID = 12;
pub const StorageDeviceProperty: STORAGE_PROPERTY_ID = 0;
pub const StorageDeviceProtocolSpecificProperty: STORAGE_PROPERTY_ID = 50;
pub const StorageDeviceProtocolSpecificPropertyEx: STORAGE_PROPERTY_ID = 68;
pub const StorageDeviceResiliencyProperty: STORAGE_PROPERTY_ID = 14;
pub const StorageDeviceSeekPenaltyProperty: STORAGE_PROPERTY_ID = 7;
pub const StorageDeviceSelfEncryptionProperty: STORAGE_PROPERTY_ID = 64;
pub const StorageDeviceTemperatureProperty: STORAGE_PROPERTY_ID = 52;
pub const StorageDeviceTrimProperty: STORAGE_PROPERTY_ID = 8;
pub const StorageDeviceUniqueIdProperty: STORAGE_PROPERTY_ID = 3;
pub const StorageDeviceUnsafeShutdownCount: STORAGE_PROPERTY_ID = 61;
pub const StorageDeviceWriteAggregationProperty: STORAGE_PROPERTY_ID = 9;
pub const StorageDeviceWriteCacheProperty: STORAGE_PROPERTY_ID = 4;
pub const StorageDeviceZonedDeviceProperty: STORAGE_PROPERTY_ID = 60;
pub const StorageFruIdProperty: STORAGE_PROPERTY_ID = 65;
pub const StorageHwCryptoProperty: STORAGE_PROPERTY_ID = 69;
pub const StorageMiniportProperty: STORAGE_PROPERTY_ID = 5;
pub const StorageStackProperty: STORAGE_PROPERTY_ID = 66;
pub const SystemBasicInformation: SYSTEM_INFORMATION_CLASS = 0;
pub const SystemBasicProcessInformation: SYSTEM_INFORMATION_CLASS = 252;
pub const SystemCodeIntegrityInformation: SYSTEM_INFORMATION_CLASS = 103;
pub const SystemExceptionInformation: SYSTEM_INFORMATION_CLASS = 33;
pub const SystemHandleCountInformation: SYSTEM_INFORMATION_CLASS = 253;
pub const SystemInterruptInformation: SYSTEM_INFORMATION_CLASS = 23;
pub const SystemLookasideInformation: SYSTEM_INFORMATION_CLASS = 45;
pub const SystemPerformanceInformation: SYSTEM_INFORMATION_CLASS = 2;
pub const SystemPolicyInformation: SYSTEM_INFORMATION_CLASS = 134;
pub const SystemProcessInformation: SYSTEM_INFORMATION_CLASS = 5;
pub const SystemProcessorPerformanceInformation: SYSTEM_INFORMATION_CLASS = 8;
pub const SystemRegistryQuotaInformation: SYSTEM_INFORMATION_CLASS = 37;
pub const SystemTimeOfDayInformation: SYSTEM_INFORMATION_CLASS = 3;
pub const TOKEN_ADJUST_PRIVILEGES: i32 = 32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TOKEN_ELEVATION {
    pub TokenIsElevated: u32,
}
pub type TOKEN_INFORMATION_CLASS = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TOKEN_PRIVILEGES {
    pub PrivilegeCount: u32,
    pub Privileges: [LUID_AND_ATTRIBUTES; 1],
}
impl Default for TOKEN_PRIVILEGES {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const TOKEN_QUERY: i32 = 8;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TRACK_DATA {
    pub Reserved: u8,
    pub _bitfield: u8,
    pub TrackNumber: u8,
    pub Reserved1: u8,
    pub Address: [u8; 4],
}
impl TRACK_DATA {
    pub fn Control(&self) -> u8 {
        (self._bitfield << 4) >> 4
    }
    pub fn set_Control(&mut self, value: u8) {
        self._bitfield = (self._bitfield & !15) | (value & 15);
    }
    pub fn Adr(&self) -> u8 {
        self._bitfield >> 4
    }
    pub fn set_Adr(&mut self, value: u8) {
        self._bitfield = (self._bitfield & !(15 << 4)) | ((value & 15) << 4);
    }
}
impl Default for TRACK_DATA {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub type TRACK_MODE_TYPE = i32;
pub const TRUNCATE_EXISTING: i32 = 5;
pub type TRUSTEE_FORM = i32;
pub type TRUSTEE_TYPE = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TRUSTEE_W {
    pub pMultipleTrustee: *mut Self,
    pub MultipleTrusteeOperation: MULTIPLE_TRUSTEE_OPERATION,
    pub TrusteeForm: TRUSTEE_FORM,
    pub TrusteeType: TRUSTEE_TYPE,
    pub ptstrName: LPWCH,
}
pub const TokenElevation: TOKEN_INFORMATION_CLASS = 20;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UNICODE_STRING {
    pub Length: u16,
    pub MaximumLength: u16,
    pub Buffer: windows_core::PWSTR,
}
pub const Unknown: MEDIA_TYPE = 0;
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VOLUME_BITMAP_BUFFER {
    pub StartingLcn: i64,
    pub BitmapSize: i64,
    pub Buffer: [u8; 1],
}
impl Default for VOLUME_BITMAP_BUFFER {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VOLUME_DISK_EXTENTS {
    pub NumberOfDiskExtents: u32,
    pub Extents: [DISK_EXTENT; 1],
}
impl Default for VOLUME_DISK_EXTENTS {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VOLUME_GET_GPT_ATTRIBUTES_INFORMATION {
    pub GptAttributes: DWORDLONG,
}
pub type VSS_BACKUP_TYPE = i32;
pub const VSS_BT_COPY: VSS_BACKUP_TYPE = 5;
pub const VSS_BT_DIFFERENTIAL: VSS_BACKUP_TYPE = 3;
pub const VSS_BT_FULL: VSS_BACKUP_TYPE = 1;
pub const VSS_BT_INCREMENTAL: VSS_BACKUP_TYPE = 2;
pub const VSS_BT_LOG: VSS_BACKUP_TYPE = 4;
pub const VSS_BT_OTHER: VSS_BACKUP_TYPE = 6;
pub const VSS_BT_UNDEFINED: VSS_BACKUP_TYPE = 0;
#[repr(C)]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VSS_COMPONENTINFO {
    pub r#type: VSS_COMPONENT_TYPE,
    pub bstrLogicalPath: core::mem::ManuallyDrop<windows_core::BSTR>,
    pub bstrComponentName: core::mem::ManuallyDrop<windows_core::BSTR>,
    pub bstrCaption: core::mem::ManuallyDrop<windows_core::BSTR>,
    pub pbIcon: *mut u8,
    pub cbIcon: u32,
    pub bRestoreMetadata: bool,
    pub bNotifyOnBackupComplete: bool,
    pub bSelectable: bool,
    pub bSelectableForRestore: bool,
    pub dwComponentFlags: u32,
    pub cFileCount: u32,
    pub cDatabases: u32,
    pub cLogFiles: u32,
    pub cDependencies: u32,
}
pub type VSS_COMPONENT_TYPE = i32;
pub const VSS_CTX_ALL: VSS_SNAPSHOT_CONTEXT = -1;
pub const VSS_CTX_APP_ROLLBACK: VSS_SNAPSHOT_CONTEXT = 9;
pub const VSS_CTX_BACKUP: VSS_SNAPSHOT_CONTEXT = 0;
pub const VSS_CTX_CLIENT_ACCESSIBLE: VSS_SNAPSHOT_CONTEXT = 29;
pub const VSS_CTX_CLIENT_ACCESSIBLE_WRITERS: VSS_SNAPSHOT_CONTEXT = 13;
pub const VSS_CTX_FILE_SHARE_BACKUP: VSS_SNAPSHOT_CONTEXT = 16;
pub const VSS_CTX_NAS_ROLLBACK: VSS_SNAPSHOT_CONTEXT = 25;
pub const VSS_E_BAD_STATE: windows_core::HRESULT = windows_core::HRESULT(0x80042301_u32 as _);
pub const VSS_E_BREAK_REVERT_ID_FAILED: windows_core::HRESULT = windows_core::HRESULT(0x800423F6_u32 as _);
pub const VSS_E_CLUSTER_ERROR: windows_core::HRESULT = windows_core::HRESULT(0x80042400_u32 as _);
pub const VSS_E_CORRUPT_XML_DOCUMENT: windows_core::HRESULT = windows_core::HRESULT(0x80042310_u32 as _);
pub const VSS_E_FLUSH_WRITES_TIMEOUT: windows_core::HRESULT = windows_core::HRESULT(0x80042313_u32 as _);
pub const VSS_E_HOLD_WRITES_TIMEOUT: windows_core::HRESULT = windows_core::HRESULT(0x80042314_u32 as _);
pub const VSS_E_INSUFFICIENT_STORAGE: windows_core::HRESULT = windows_core::HRESULT(0x8004231F_u32 as _);
pub const VSS_E_INVALID_XML_DOCUMENT: windows_core::HRESULT = windows_core::HRESULT(0x80042311_u32 as _);
pub const VSS_E_LEGACY_PROVIDER: windows_core::HRESULT = windows_core::HRESULT(0x800423F7_u32 as _);
pub const VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED: windows_core::HRESULT =
    windows_core::HRESULT(0x8004231E_u32 as _);
pub const VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED: windows_core::HRESULT =
    windows_core::HRESULT(0x80042317_u32 as _);
pub const VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED: windows_core::HRESULT =
    windows_core::HRESULT(0x80042312_u32 as _);
pub const VSS_E_MISSING_DISK: windows_core::HRESULT = windows_core::HRESULT(0x800423F8_u32 as _);
pub const VSS_E_MISSING_HIDDEN_VOLUME: windows_core::HRESULT = windows_core::HRESULT(0x800423F9_u32 as _);
pub const VSS_E_MISSING_VOLUME: windows_core::HRESULT = windows_core::HRESULT(0x800423FA_u32 as _);
pub const VSS_E_NESTED_VOLUME_LIMIT: windows_core::HRESULT = windows_core::HRESULT(0x8004232C_u32 as _);
pub const VSS_E_NO_SNAPSHOTS_IMPORTED: windows_core::HRESULT = windows_core::HRESULT(0x80042320_u32 as _);
pub const VSS_E_OBJECT_ALREADY_EXISTS: windows_core::HRESULT = windows_core::HRESULT(0x8004230D_u32 as _);
pub const VSS_E_OBJECT_NOT_FOUND: windows_core::HRESULT = windows_core::HRESULT(0x80042308_u32 as _);
pub const VSS_E_PROVIDER_ALREADY_REGISTERED: windows_core::HRESULT =
    windows_core::HRESULT(0x80042303_u32 as _);
pub const VSS_E_PROVIDER_IN_USE: windows_core::HRESULT = windows_core::HRESULT(0x80042307_u32 as _);
pub const VSS_E_PROVIDER_NOT_REGISTERED: windows_core::HRESULT = windows_core::HRESULT(0x80042304_u32 as _);
pub const VSS_E_PROVIDER_VETO: windows_core::HRESULT = windows_core::HRESULT(0x80042306_u32 as _);
pub const VSS_E_REBOOT_REQUIRED: windows_core::HRESULT = windows_core::HRESULT(0x80042327_u32 as _);
pub const VSS_E_SNAPSHOT_NOT_IN_SET: windows_core::HRESULT = windows_core::HRESULT(0x8004232B_u32 as _);
pub const VSS_E_SNAPSHOT_SET_IN_PROGRESS: windows_core::HRESULT = windows_core::HRESULT(0x80042316_u32 as _);
pub const VSS_E_SOME_SNAPSHOTS_NOT_IMPORTED: windows_core::HRESULT =
    windows_core::HRESULT(0x80042321_u32 as _);
pub const VSS_E_TRANSACTION_FREEZE_TIMEOUT: windows_core::HRESULT =
    windows_core::HRESULT(0x80042328_u32 as _);
pub const VSS_E_TRANSACTION_THAW_TIMEOUT: windows_core::HRESULT = windows_core::HRESULT(0x80042329_u32 as _);
pub const VSS_E_UNEXPECTED: windows_core::HRESULT = windows_core::HRESULT(0x80042302_u32 as _);
pub const VSS_E_UNEXPECTED_PROVIDER_ERROR: windows_core::HRESULT = windows_core::HRESULT(0x8004230F_u32 as _);
pub const VSS_E_UNEXPECTED_WRITER_ERROR: windows_core::HRESULT = windows_core::HRESULT(0x80042315_u32 as _);
pub const VSS_E_UNSUPPORTED_CONTEXT: windows_core::HRESULT = windows_core::HRESULT(0x8004231B_u32 as _);
pub const VSS_E_VOLUME_IN_USE: windows_core::HRESULT = windows_core::HRESULT(0x8004231D_u32 as _);
pub const VSS_E_VOLUME_NOT_SUPPORTED: windows_core::HRESULT = windows_core::HRESULT(0x8004230C_u32 as _);
pub const VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER: windows_core::HRESULT =
    windows_core::HRESULT(0x8004230E_u32 as _);
pub const VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT: windows_core::HRESULT =
    windows_core::HRESULT(0x800423F0_u32 as _);
pub const VSS_E_WRITERERROR_NONRETRYABLE: windows_core::HRESULT = windows_core::HRESULT(0x800423F4_u32 as _);
pub const VSS_E_WRITERERROR_OUTOFRESOURCES: windows_core::HRESULT =
    windows_core::HRESULT(0x800423F1_u32 as _);
pub const VSS_E_WRITERERROR_PARTIAL_FAILURE: windows_core::HRESULT =
    windows_core::HRESULT(0x80042336_u32 as _);
pub const VSS_E_WRITERERROR_RECOVERY_FAILED: windows_core::HRESULT =
    windows_core::HRESULT(0x800423F5_u32 as _);
pub const VSS_E_WRITERERROR_RETRYABLE: windows_core::HRESULT = windows_core::HRESULT(0x800423F3_u32 as _);
pub const VSS_E_WRITERERROR_TIMEOUT: windows_core::HRESULT = windows_core::HRESULT(0x800423F2_u32 as _);
pub const VSS_E_WRITER_ALREADY_SUBSCRIBED: windows_core::HRESULT = windows_core::HRESULT(0x8004231A_u32 as _);
pub const VSS_E_WRITER_INFRASTRUCTURE: windows_core::HRESULT = windows_core::HRESULT(0x80042318_u32 as _);
pub const VSS_E_WRITER_NOT_RESPONDING: windows_core::HRESULT = windows_core::HRESULT(0x80042319_u32 as _);
pub type VSS_FILE_RESTORE_STATUS = i32;
pub type VSS_ID = windows_core::GUID;
pub const VSS_OBJECT_NONE: VSS_OBJECT_TYPE = 1;
#[repr(C)]
#[derive(Clone, Copy)]
pub struct VSS_OBJECT_PROP {
    pub Type: VSS_OBJECT_TYPE,
    pub Obj: VSS_OBJECT_UNION,
}
impl Default for VSS_OBJECT_PROP {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const VSS_OBJECT_PROVIDER: VSS_OBJECT_TYPE = 4;
pub const VSS_OBJECT_SNAPSHOT: VSS_OBJECT_TYPE = 3;
pub const VSS_OBJECT_SNAPSHOT_SET: VSS_OBJECT_TYPE = 2;
pub type VSS_OBJECT_TYPE = i32;
pub const VSS_OBJECT_TYPE_COUNT: VSS_OBJECT_TYPE = 5;
#[repr(C)]
#[derive(Clone, Copy)]
pub union VSS_OBJECT_UNION {
    pub Snap: VSS_SNAPSHOT_PROP,
    pub Prov: VSS_PROVIDER_PROP,
}
impl Default for VSS_OBJECT_UNION {
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}
pub const VSS_OBJECT_UNKNOWN: VSS_OBJECT_TYPE = 0;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VSS_PROVIDER_PROP {
    pub m_ProviderId: VSS_ID,
    pub m_pwszProviderName: VSS_PWSZ,
    pub m_eProviderType: VSS_PROVIDER_TYPE,
    pub m_pwszProviderVersion: VSS_PWSZ,
    pub m_ProviderVersionId: VSS_ID,
    pub m_ClassId: windows_core::GUID,
}
pub type VSS_PROVIDER_TYPE = i32;
pub type VSS_PWSZ = *mut u16;
pub type VSS_RESTOREMETHOD_ENUM = i32;
pub type VSS_RESTORE_TYPE = i32;
pub type VSS_SNAPSHOT_CONTEXT = i32;
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VSS_SNAPSHOT_PROP {
    pub m_SnapshotId: VSS_ID,
    pub m_SnapshotSetId: VSS_ID,
    pub m_lSnapshotsCount: i32,
    pub m_pwszSnapshotDeviceObject: VSS_PWSZ,
    pub m_pwszOriginalVolumeName: VSS_PWSZ,
    pub m_pwszOriginatingMachine: VSS_PWSZ,
    pub m_pwszServiceMachine: VSS_PWSZ,
    pub m_pwszExposedName: VSS_PWSZ,
    pub m_pwszExposedPath: VSS_PWSZ,
    pub m_ProviderId: VSS_ID,
    pub m_lSnapshotAttributes: i32,
    pub m_tsCreationTimestamp: VSS_TIMESTAMP,
    pub m_eStatus: VSS_SNAPSHOT_STATE,
}
pub type VSS_SNAPSHOT_STATE = i32;
pub type VSS_SOURCE_TYPE = i32;
pub const VSS_SS_ABORTED: VSS_SNAPSHOT_STATE = 13;
pub const VSS_SS_COMMITTED: VSS_SNAPSHOT_STATE = 7;
pub const VSS_SS_COUNT: VSS_SNAPSHOT_STATE = 16;
pub const VSS_SS_CREATED: VSS_SNAPSHOT_STATE = 12;
pub const VSS_SS_DELETED: VSS_SNAPSHOT_STATE = 14;
pub const VSS_SS_POSTCOMMITTED: VSS_SNAPSHOT_STATE = 15;
pub const VSS_SS_PRECOMMITTED: VSS_SNAPSHOT_STATE = 5;
pub const VSS_SS_PREFINALCOMMITTED: VSS_SNAPSHOT_STATE = 10;
pub const VSS_SS_PREPARED: VSS_SNAPSHOT_STATE = 3;
pub const VSS_SS_PREPARING: VSS_SNAPSHOT_STATE = 1;
pub const VSS_SS_PROCESSING_COMMIT: VSS_SNAPSHOT_STATE = 6;
pub const VSS_SS_PROCESSING_POSTCOMMIT: VSS_SNAPSHOT_STATE = 8;
pub const VSS_SS_PROCESSING_POSTFINALCOMMIT: VSS_SNAPSHOT_STATE = 11;
pub const VSS_SS_PROCESSING_PRECOMMIT: VSS_SNAPSHOT_STATE = 4;
pub const VSS_SS_PROCESSING_PREFINALCOMMIT: VSS_SNAPSHOT_STATE = 9;
pub const VSS_SS_PROCESSING_PREPARE: VSS_SNAPSHOT_STATE = 2;
pub const VSS_SS_UNKNOWN: VSS_SNAPSHOT_STATE = 0;
pub const VSS_S_ASYNC_CANCELLED: windows_core::HRESULT = windows_core::HRESULT(0x4230B_u32 as _);
pub const VSS_S_ASYNC_FINISHED: windows_core::HRESULT = windows_core::HRESULT(0x4230A_u32 as _);
pub const VSS_S_ASYNC_PENDING: windows_core::HRESULT = windows_core::HRESULT(0x42309_u32 as _);
pub const VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED: windows_core::HRESULT = windows_core::HRESULT(0x42321_u32 as _);
pub type VSS_TIMESTAMP = i64;
pub type VSS_USAGE_TYPE = i32;
pub const VSS_VOLSNAP_ATTR_AUTORECOVER: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 4194304;
pub const VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 4;
pub const VSS_VOLSNAP_ATTR_DELAYED_POSTSNAPSHOT: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 16777216;
pub const VSS_VOLSNAP_ATTR_DIFFERENTIAL: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 131072;
pub const VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 1048576;
pub const VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 2097152;
pub const VSS_VOLSNAP_ATTR_FILE_SHARE: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 67108864;
pub const VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 65536;
pub const VSS_VOLSNAP_ATTR_IMPORTED: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 524288;
pub const VSS_VOLSNAP_ATTR_NOT_SURFACED: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 64;
pub const VSS_VOLSNAP_ATTR_NOT_TRANSACTED: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 128;
pub const VSS_VOLSNAP_ATTR_NO_AUTORECOVERY: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 2;
pub const VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 8;
pub const VSS_VOLSNAP_ATTR_NO_WRITERS: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 16;
pub const VSS_VOLSNAP_ATTR_PERSISTENT: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 1;
pub const VSS_VOLSNAP_ATTR_PLEX: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 262144;
pub const VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 8388608;
pub const VSS_VOLSNAP_ATTR_TRANSPORTABLE: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 32;
pub const VSS_VOLSNAP_ATTR_TXF_RECOVERY: VSS_VOLUME_SNAPSHOT_ATTRIBUTES = 33554432;
pub type VSS_VOLUME_SNAPSHOT_ATTRIBUTES = i32;
pub type VSS_WRITERRESTORE_ENUM = i32;
pub type VSS_WRITER_STATE = i32;
pub const VSS_WS_COUNT: VSS_WRITER_STATE = 16;
pub const VSS_WS_FAILED_AT_BACKUPSHUTDOWN: VSS_WRITER_STATE = 15;
pub const VSS_WS_FAILED_AT_BACKUP_COMPLETE: VSS_WRITER_STATE = 12;
pub const VSS_WS_FAILED_AT_FREEZE: VSS_WRITER_STATE = 9;
pub const VSS_WS_FAILED_AT_IDENTIFY: VSS_WRITER_STATE = 6;
pub const VSS_WS_FAILED_AT_POST_RESTORE: VSS_WRITER_STATE = 14;
pub const VSS_WS_FAILED_AT_POST_SNAPSHOT: VSS_WRITER_STATE = 11;
pub const VSS_WS_FAILED_AT_PREPARE_BACKUP: VSS_WRITER_STATE = 7;
pub const VSS_WS_FAILED_AT_PREPARE_SNAPSHOT: VSS_WRITER_STATE = 8;
pub const VSS_WS_FAILED_AT_PRE_RESTORE: VSS_WRITER_STATE = 13;
pub const VSS_WS_FAILED_AT_THAW: VSS_WRITER_STATE = 10;
pub const VSS_WS_STABLE: VSS_WRITER_STATE = 1;
pub const VSS_WS_UNKNOWN: VSS_WRITER_STATE = 0;
pub const VSS_WS_WAITING_FOR_BACKUP_COMPLETE: VSS_WRITER_STATE = 5;
pub const VSS_WS_WAITING_FOR_FREEZE: VSS_WRITER_STATE = 2;
pub const VSS_WS_WAITING_FOR_POST_SNAPSHOT: VSS_WRITER_STATE = 4;
pub const VSS_WS_WAITING_FOR_THAW: VSS_WRITER_STATE = 3;
pub type WELL_KNOWN_SID_TYPE = i32;
pub const WinBuiltinAdministratorsSid: WELL_KNOWN_SID_TYPE = 26;
pub const WinLocalServiceSid: WELL_KNOWN_SID_TYPE = 23;
pub const WinLocalSystemSid: WELL_KNOWN_SID_TYPE = 22;
pub const WinNetworkServiceSid: WELL_KNOWN_SID_TYPE = 24;
pub const WinSelfSid: WELL_KNOWN_SID_TYPE = 16;
pub const XAForm2: TRACK_MODE_TYPE = 1;
pub const YellowMode2: TRACK_MODE_TYPE = 0;
